"""Tokens of pods' service accounts, asked of the master through the node link and renewed in good time.

A token is renewed when a fifth of its time is left, or after a day. When the master is away, the old one is used as
long as it is good.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from sampan_api.clock import Clock

from sampan_agent.errors import ObjectUnavailable

_DAY = 86400.0


class Wanted(NamedTuple):
    """What a volume of a pod asks for; `audience` "" is the API server."""

    pod_uid: str
    audience: str
    seconds: int


class Token(NamedTuple):
    value: str
    expires_at: float


TokenReader: TypeAlias = Callable[[Wanted], Awaitable[Token]]
"""Raises ObjectUnavailable."""


class Tokens:
    def __init__(self, read: TokenReader, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._kept: dict[Wanted, Token] = {}

    async def __call__(self, wanted: Wanted) -> Token:
        kept = self._kept.get(wanted)
        now = self._clock.now()
        if kept is not None and not _due(kept, wanted, now):
            return kept
        try:
            self._kept[wanted] = await self._read(wanted)
        except ObjectUnavailable:
            if kept is None or kept.expires_at <= now:
                raise
            return kept
        return self._kept[wanted]

    def forget(self, pod_uid: str) -> None:
        """The pod is gone."""
        self._kept = {wanted: token for wanted, token in self._kept.items() if wanted.pod_uid != pod_uid}


def _due(token: Token, wanted: Wanted, now: float) -> bool:
    issued = token.expires_at - wanted.seconds
    return now > min(token.expires_at - wanted.seconds / 5, issued + _DAY)
