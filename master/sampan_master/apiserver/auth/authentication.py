"""Who asks.

A verified client certificate says it (CN the name, O the groups), else a bearer token; a bad token is an error, no
credentials make `system:anonymous`. A certificate wins over a token.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from sampan_api.client import UserInfo
from sampan_api.errors import Unauthorized

from sampan_master.apiserver.auth.authorization import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"


class InvalidToken(Exception):
    """Why a bearer token is not believed; told only to those who may review tokens."""


class Verified(NamedTuple):
    """Whose token it is, and for which of the audiences asked about it is good."""

    user: UserInfo
    audiences: list[str]


class TokenReader(Protocol):
    async def read(self, token: str, audiences: Sequence[str]) -> Verified | None:
        """None: a token of another kind. Raises InvalidToken."""
        ...


class Authenticator:
    """`audience` is the API server's own name as a receiver of tokens; `reader` knows service accounts'."""

    def __init__(self, tokens: Mapping[str, UserInfo], audience: str, reader: TokenReader) -> None:
        self._tokens = {token.encode(): authenticated(user) for token, user in tokens.items()}
        self._audience = audience
        self._reader = reader

    async def identify(self, certificate: UserInfo | None, authorization: str) -> UserInfo:
        """`certificate`: whom a verified one names, `authenticated`. Raises Unauthorized."""
        if certificate is not None:
            return certificate
        if not authorization:
            return UserInfo(ANONYMOUS, [UNAUTHENTICATED])
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            try:
                return (await self.bearer(token.strip())).user
            except InvalidToken:
                pass
        raise Unauthorized("Unauthorized")

    async def bearer(self, token: str, audiences: Sequence[str] = ()) -> Verified:
        """Raises InvalidToken. Without `audiences`, the API server's own is meant."""
        asked = audiences or [self._audience]
        if self._audience in asked:
            shown = token.encode()
            for known, user in self._tokens.items():
                if hmac.compare_digest(known, shown):
                    return Verified(user, [self._audience])
        verified = await self._reader.read(token, asked)
        if verified is not None:
            return verified._replace(user=authenticated(verified.user))
        raise InvalidToken("invalid bearer token")


def authenticated(user: UserInfo) -> UserInfo:
    if AUTHENTICATED in user.groups:
        return user
    return replace(user, groups=[*user.groups, AUTHENTICATED])
