"""Tokens of service accounts: signed claims that are as good as the objects they name.

A token says which service account it speaks for, and perhaps a pod, Secret or node it is bound to. It is believed while
its time has not run out and these objects still exist under the UIDs it names; times are taken with a minute's grace,
because clocks differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sampan_api.client import UserInfo
from sampan_api.clock import Clock, parse_time

from sampan_master.apiserver.auth import jwt, service_accounts
from sampan_master.apiserver.auth.authentication import CREDENTIAL_ID, InvalidToken, Verified
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.kinds import nodes, pods, secrets, serviceaccounts
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import go_quote
from sampan_master.storage import Cache, Entry

ISSUER = "https://kubernetes.default.svc.cluster.local"
_LEEWAY = 60.0
_EXTRA = "authentication.kubernetes.io/"
_INVALIDATED = "service account token has been invalidated"


class TokenIssuer:
    """`key_pem` empty: a key of its own, made when first needed, for a server that outlives none of its tokens."""

    def __init__(self, key_pem: bytes = b"", issuer: str = ISSUER) -> None:
        self._key_pem = key_pem
        self.issuer = issuer

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        if not self._key_pem:
            return rsa.generate_private_key(65537, 2048)
        key = load_pem_private_key(self._key_pem, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("the key that signs tokens is no RSA key")
        return key

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.sign({**claims, "iss": self.issuer}, self.key)

    def verified(self, token: str) -> dict[str, Any] | None:
        """Its claims; None when it does not even say that it is ours. Raises InvalidToken."""
        try:
            claims = jwt.verified_claims(token, self.key.public_key())
        except jwt.BadToken:
            return None
        except jwt.BadSignature as error:
            if error.claims.get("iss") != self.issuer:
                return None
            raise _invalid("go-jose/go-jose: error in cryptographic primitive") from None
        return claims if claims.get("iss") == self.issuer else None


def _quoted(values: Sequence[str]) -> str:
    """As Go prints a list of strings with `%q`."""
    return f"[{' '.join(map(go_quote, values))}]"


def _invalid(why: str) -> InvalidToken:
    return InvalidToken(f"[invalid bearer token, {why}]")


class ServiceAccountTokens:
    """Implements `authentication.TokenReader`."""

    def __init__(self, issuer: TokenIssuer, cache: Cache, clock: Clock) -> None:
        self._issuer = issuer
        self._cache = cache
        self._clock = clock

    async def read(self, token: str, audiences: Sequence[str]) -> Verified | None:
        """None: it is none of ours. Raises InvalidToken."""
        claims = self._issuer.verified(token)
        if claims is None:
            return None
        fitting = [audience for audience in claims["aud"] if audience in audiences]
        if not fitting:
            raise _invalid(
                f"token audiences {_quoted(claims['aud'])} is invalid for the target audiences {_quoted(audiences)}"
            )
        self._check_times(claims)
        return Verified(await self._user(claims), fitting)

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._clock.now()
        if now - _LEEWAY > claims["exp"]:
            raise _invalid("service account token has expired")
        if now + _LEEWAY < claims["nbf"]:
            raise _invalid("service account token is not valid yet")

    async def _user(self, claims: dict[str, Any]) -> UserInfo:
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        await self._check_account(namespace, account)
        extra = {CREDENTIAL_ID: [f"JTI={claims['jti']}"]}
        pod, node = private.get("pod"), private.get("node")
        if secret := private.get("secret"):
            await self._check_bound(secrets.RESOURCE, namespace, secret, "secret UID ({}) {} secret ref claim ({})")
        if pod:
            await self._check_bound(pods.RESOURCE, namespace, pod, "pod UID ({}) {} pod ref claim ({})")
            extra |= {f"{_EXTRA}pod-name": [pod["name"]], f"{_EXTRA}pod-uid": [pod["uid"]]}
        elif node:
            await self._check_bound(nodes.RESOURCE, "", node, "node UID ({}) {} node ref claim ({})")
        if node:
            extra[f"{_EXTRA}node-name"] = [node["name"]]
            if node.get("uid"):
                extra[f"{_EXTRA}node-uid"] = [node["uid"]]
        name = service_accounts.username(namespace, account["name"])
        return UserInfo(name, service_accounts.groups(namespace), account["uid"], extra)

    async def _check_account(self, namespace: str, account: dict[str, str]) -> None:
        entry = await self._find(serviceaccounts.RESOURCE, namespace, account)
        if entry is None:
            raise _invalid(problems.not_found(serviceaccounts.RESOURCE, account["name"]).message)
        if self._deleted(entry):
            raise _invalid(f"service account {namespace}/{account['name']} has been deleted")
        if (found := entry.obj["metadata"]["uid"]) != account["uid"]:
            raise _invalid(f"service account UID ({found}) does not match claim ({account['uid']})")

    async def _check_bound(self, rt: ResourceType, namespace: str, reference: dict[str, str], mismatch: str) -> None:
        entry = await self._find(rt, namespace, reference)
        if entry is None or self._deleted(entry):
            raise _invalid(_INVALIDATED)
        if (found := entry.obj["metadata"]["uid"]) != reference["uid"]:
            raise _invalid(mismatch.format(found, "does not match service account", reference["uid"]))

    async def _find(self, rt: ResourceType, namespace: str, reference: dict[str, str]) -> Entry | None:
        """What the cache holds is believed when it fits; else only when it is known to be current."""
        key = rt.key(namespace, reference["name"])
        entry = self._cache.get(key)
        if entry is None or entry.obj["metadata"]["uid"] != reference["uid"]:
            with problems.translated_refusal():
                await self._cache.fresh()
            entry = self._cache.get(key)
        return entry

    def _deleted(self, entry: Entry) -> bool:
        at = entry.obj["metadata"].get("deletionTimestamp")
        return bool(at) and parse_time(at) < self._clock.now() - _LEEWAY
