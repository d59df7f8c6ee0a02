"""JSON Web Tokens: what is signed comes back, and nothing else does."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sampan_master.apiserver.auth import jwt

KEY = rsa.generate_private_key(65537, 2048)
CLAIMS = {"sub": "ü", "exp": 1, "aud": ["a"]}
TOKEN = jwt.sign(CLAIMS, KEY)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_was_signed_comes_back() -> None:
    assert jwt.verified_claims(TOKEN, KEY.public_key()) == CLAIMS
    header = json.loads(base64.urlsafe_b64decode(TOKEN.split(".")[0] + "=="))
    assert header == {"alg": "RS256", "kid": jwt.key_id(KEY.public_key())}


def test_changed_claims_another_key_and_another_algorithm_are_refused() -> None:
    header, _, signature = TOKEN.split(".")
    forged = f"{header}.{part({'sub': 'admin'})}.{signature}"
    unsigned = f"{part({'alg': 'none'})}.{TOKEN.split('.')[1]}."
    other = jwt.sign(CLAIMS, rsa.generate_private_key(65537, 2048))
    for token, said in ((forged, {"sub": "admin"}), (unsigned, CLAIMS), (other, CLAIMS)):
        with pytest.raises(jwt.BadSignature) as refused:
            jwt.verified_claims(token, KEY.public_key())
        assert refused.value.claims == said


NO_TOKENS = [
    "",
    "a.b",
    "a.b.c",
    "!.!.!",
    f"{part({})}.{part([])}.x",
    "ü.ü.ü",
    "a.b.c.d",
    f"{part({'alg': 'RS256', 'kid': 1})}.{part({})}.eA",
    f"{part({'alg': 'RS256', 'crit': ['exp'], 'exp': 1})}.{part({})}.eA",
    f"{part({'alg': 'RS256', 'b64': False})}..eA",
]


@pytest.mark.parametrize("token", NO_TOKENS)
def test_what_is_no_token_is_said_to_be_none(token: str) -> None:
    with pytest.raises(jwt.BadToken):
        jwt.verified_claims(token, KEY.public_key())


def test_the_public_key_is_shown_as_numbers() -> None:
    (key,) = jwt.public_key_set(KEY.public_key())["keys"]
    assert (key["kty"], key["alg"], key["use"], key["e"]) == ("RSA", "RS256", "sig", "AQAB")
    modulus = int.from_bytes(base64.urlsafe_b64decode(key["n"] + "=="), "big")
    assert modulus == KEY.public_key().public_numbers().n
