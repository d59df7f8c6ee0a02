"""JSON Web Tokens (RFC 7519) as far as the API server makes and reads them: compact form, RS256, one key."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = "RS256"


class BadToken(ValueError):
    """It is no token at all."""


class BadSignature(ValueError):
    """It is a token, but this key did not sign it."""


def key_id(key: rsa.RSAPublicKey) -> str:
    """As Kubernetes names a key: the SHA-256 of its DER form."""
    return _encode(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest())


def sign(claims: Mapping[str, Any], key: rsa.RSAPrivateKey) -> str:
    header = {"alg": ALGORITHM, "kid": key_id(key.public_key())}
    signed = f"{_encode(orjson.dumps(header))}.{_encode(orjson.dumps(claims))}"
    return f"{signed}.{_encode(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def unverified_claims(token: str) -> dict[str, Any]:
    """What it says of itself; believe nothing of it. Raises BadToken."""
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("not three parts")
    return _object(parts[1])


def verified_claims(token: str, key: rsa.RSAPublicKey) -> dict[str, Any]:
    """Raises BadToken, BadSignature."""
    claims = unverified_claims(token)
    signed, _, signature = token.rpartition(".")
    if _object(signed.partition(".")[0]).get("alg") != ALGORITHM:
        raise BadSignature("another algorithm")
    try:
        key.verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise BadSignature("another key") from None
    return claims


def public_key_set(key: rsa.RSAPublicKey) -> dict[str, Any]:
    """RFC 7517."""
    numbers = key.public_numbers()
    shown = {"use": "sig", "kty": "RSA", "kid": key_id(key), "alg": ALGORITHM}
    return {"keys": [{**shown, "n": _number(numbers.n), "e": _number(numbers.e)}]}


def _number(value: int) -> str:
    return _encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _object(part: str) -> dict[str, Any]:
    try:
        value = orjson.loads(_decode(part))
    except orjson.JSONDecodeError as error:
        raise BadToken(str(error)) from error
    if not isinstance(value, dict):
        raise BadToken("not an object")
    return value


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadToken(str(error)) from error
