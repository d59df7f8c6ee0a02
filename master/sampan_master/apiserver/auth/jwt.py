"""JSON Web Tokens (RFC 7519) as the API server makes and reads them: RS256, one key. The rest is PyJWT's.

Only the signature is judged here: times, audience and issuer have Kubernetes' own rules (`service_account_tokens`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode

ALGORITHM = "RS256"


class BadToken(ValueError):
    """It is no token at all."""


class BadSignature(ValueError):
    """It is a token, but this key did not sign it. `claims` is what it says of itself; believe nothing of it."""

    def __init__(self, why: str, claims: dict[str, Any]) -> None:
        super().__init__(why)
        self.claims = claims


def key_id(key: rsa.RSAPublicKey) -> str:
    """As Kubernetes names a key: the SHA-256 of its DER form."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64url_encode(hashlib.sha256(der).digest()).decode()


def sign(claims: Mapping[str, Any], key: rsa.RSAPrivateKey) -> str:
    headers = {"kid": key_id(key.public_key()), "typ": ""}  # An empty type is left out, as Kubernetes does.
    return jwt.encode(dict(claims), key, ALGORITHM, headers)


def verified_claims(token: str, key: rsa.RSAPublicKey) -> dict[str, Any]:
    """Raises BadToken, BadSignature. Only a token that is not believed is read twice."""
    try:
        return jwt.decode(
            token,
            key,
            [ALGORITHM],
            {
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as error:
        raise BadSignature(str(error), unverified_claims(token)) from error
    except (jwt.InvalidTokenError, ValueError) as error:
        raise BadToken(str(error)) from error


def unverified_claims(token: str) -> dict[str, Any]:
    """What it says of itself. Raises BadToken."""
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError) as error:
        raise BadToken(str(error)) from error


def public_key_set(key: rsa.RSAPublicKey) -> dict[str, Any]:
    """RFC 7517."""
    numbers = RSAAlgorithm.to_jwk(key, as_dict=True)
    shown = {"use": "sig", "kty": "RSA", "kid": key_id(key), "alg": ALGORITHM}
    return {"keys": [{**shown, "n": numbers["n"], "e": numbers["e"]}]}
