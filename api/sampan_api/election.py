"""Leader election by a Lease (coordination.k8s.io/v1), as client-go has it, so that ours and others may be candidates
for the same one.

    candidate ──► the lease is nobody's, its own or run out ──► write it ──► leader: `part` runs, renewed each 2 s
        ▲ every 2 to 4.4 s                                                     │
        └────────── not renewed for 10 s, or somebody else's: `part` is stopped at once ─┘

Invariants: times of other machines are never compared with ours: a lease has run out when it did not change for its
duration on our own monotonic clock. A leader stops 10 s after it *asked for* the last renewal that was granted, 5 s
before anybody else may think the lease has run out. Two leaders for a moment are possible all the same (a process may
be suspended between a look at the clock and a write), so every write must be fenced by itself.

An identity must be one process's at a time: who finds its own in the lease is the leader.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sampan_api import meta
from sampan_api.client import LEASES, Client
from sampan_api.clock import Clock, rfc3339_micro
from sampan_api.errors import AlreadyExists, ApiError, Conflict, NotFound
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder

log = logging.getLogger(__name__)

NAMESPACE = "kube-system"
_JITTER = 1.2
_RELEASE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds; the defaults of client-go. Raises ValueError for those that could make two leaders."""

    lease: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if self.lease <= self.renew_deadline:
            raise ValueError(f"the lease duration ({self.lease:g} s) must be longer than the renew deadline")
        if self.renew_deadline <= _JITTER * self.retry:
            raise ValueError(f"the renew deadline ({self.renew_deadline:g} s) must be longer than 1.2 retry periods")
        if self.lease < 1 or self.retry <= 0:
            raise ValueError("the lease duration must be at least 1 s, the retry period more than 0 s")


CLIENT_GO = Terms()


@dataclass(frozen=True, slots=True)
class Seen:
    """A lease, and when (monotonic) it was seen first as it is."""

    lease: Object
    at: float

    @property
    def holder(self) -> str:
        return str((self.lease.get("spec") or {}).get("holderIdentity") or "")


def may_take(seen: Seen, identity: str, now: float) -> bool:
    """Whether it is one's own, nobody's, or has run out."""
    duration = (seen.lease.get("spec") or {}).get("leaseDurationSeconds") or 0
    return seen.holder in ("", identity) or now >= seen.at + duration


def taken(before: Object | None, identity: str, duration: float, wall: float) -> Object:
    """The lease's spec when `identity` takes or renews it at `wall`."""
    old = (before or {}).get("spec") or {}
    spec = {
        **old,
        "holderIdentity": identity,
        "leaseDurationSeconds": int(duration),
        "renewTime": rfc3339_micro(wall),
    }
    if old.get("holderIdentity") != identity:
        spec["acquireTime"] = spec["renewTime"]
        spec["leaseTransitions"] = (old.get("leaseTransitions") or 0) + (before is not None)
    return spec


def released(before: Object, wall: float) -> Object:
    """The spec that lets the next candidate take it at once."""
    now = rfc3339_micro(wall)
    return {**before["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now, "acquireTime": now}


class Election:
    """One candidate for one lease. `leading` and `holder` are for those who ask how things are."""

    def __init__(self, client: Client, clock: Clock, name: str, identity: str, terms: Terms = CLIENT_GO) -> None:
        self.name, self.identity, self.terms = name, identity, terms
        self.leading = False
        self._client, self._clock = client, clock
        self._events = EventRecorder(client, clock, name)
        self._seen: Seen | None = None
        self._renewed_at = 0.0

    @property
    def holder(self) -> str:
        """Who was the leader when it was last looked."""
        return self._seen.holder if self._seen else ""

    @property
    def overdue(self) -> float:
        """Seconds for which its lease has run out while it leads all the same; at most 0 when all is well."""
        return self._clock.monotonic() - self._renewed_at - self.terms.lease if self.leading else 0.0

    async def lead(self, part: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs `part` whenever it is elected, and stops it when it is no more. Returns (or raises) when `part` does;
        the lease is given up then, as when it is cancelled."""
        telling = asyncio.create_task(self._events.run())
        try:
            while not await self._once(part):
                pass
        finally:
            await _stop(telling)

    async def _once(self, part: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Whether `part` ended by itself, not for the loss of the lease."""
        await self._acquire()
        try:
            return await self._reign(part)
        finally:
            if self.holder == self.identity:
                await self._release()

    async def _acquire(self) -> None:
        log.info("%s: a candidate for the lease, as %s", self.name, self.identity)
        told = ""
        while not await self._try():
            if self.holder != told:
                told = self.holder
                log.info("%s: the leader is %s", self.name, told)
            await self._clock.sleep(self.terms.retry * (1 + random.random() * _JITTER))
        self.leading = True
        log.info("%s: leading", self.name)
        if self._seen is not None:
            self._events.record(LEASES, self._seen.lease, "Normal", "LeaderElection", f"{self.identity} became leader")

    async def _reign(self, part: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        working = asyncio.create_task(part(), name=self.name)
        guards = [asyncio.create_task(self._renew()), asyncio.create_task(self._deadline())]
        try:
            await asyncio.wait([working, *guards], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                return True
            for guard in guards:
                if guard.done():
                    guard.result()
            log.error("%s: not the leader any more; the work is stopped", self.name)
            return False
        finally:
            self.leading = False
            await _stop(working, *guards)

    async def _renew(self) -> None:
        """Returns when the lease is somebody else's."""
        while True:
            await self._clock.sleep(self.terms.retry)
            if not await self._try() and self.holder != self.identity:
                return

    async def _deadline(self) -> None:
        """Returns when it was not renewed in time, however long a request may hang."""
        while (left := self._renewed_at + self.terms.renew_deadline - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)

    async def _try(self) -> bool:
        """Takes or renews the lease. False when it is another's, or the server did not say yes."""
        asked = self._clock.monotonic()
        try:
            # What was written last is renewed without looking: it is most likely still there.
            if not (self.leading and self._seen is not None and await self._write(self._seen.lease)):
                await self._look()
                if self._seen is not None and not may_take(self._seen, self.identity, self._clock.monotonic()):
                    return False
                if not await self._write(self._seen.lease if self._seen is not None else None):
                    return False
        except ApiError as error:
            log.warning("%s: the lease cannot be had: %s", self.name, error.message)
            return False
        self._renewed_at = asked
        return True

    async def _look(self) -> None:
        try:
            lease = await self._client.get(LEASES, self.name, NAMESPACE)
        except NotFound:
            self._seen = None
            return
        if self._seen is None or self._seen.lease.get("spec") != lease.get("spec"):
            self._seen = Seen(lease, self._clock.monotonic())
        else:
            self._seen = Seen(lease, self._seen.at)

    async def _write(self, before: Object | None) -> bool:
        """False when somebody else was first."""
        spec = taken(before, self.identity, self.terms.lease, self._clock.now())
        try:
            if before is None:
                new = {"metadata": {"name": self.name, "namespace": NAMESPACE}, "spec": spec}
                written = await self._client.create(LEASES, new, NAMESPACE)
            else:
                written = await self._client.update(LEASES, meta.with_path(before, ("spec",), spec))
        except (AlreadyExists, Conflict, NotFound):
            return False
        self._seen = Seen(written, self._clock.monotonic())
        return True

    async def _release(self) -> None:
        """Lets the next one begin at once. A server that does not answer is not waited for: the lease runs out."""
        giving = asyncio.create_task(self._give_up())
        waiting = asyncio.create_task(self._clock.sleep(_RELEASE_SECONDS))
        try:
            await asyncio.wait([giving, waiting], return_when=asyncio.FIRST_COMPLETED)
            if giving.done():
                giving.result()
        except ApiError as error:
            log.info("%s: the lease is left to run out: %s", self.name, error.message)
        finally:
            await _stop(giving, waiting)

    async def _give_up(self) -> None:
        """A renewal that was broken off may have been written all the same: then what is there now is given up."""
        while self._seen is not None and self.holder == self.identity:
            lease = meta.with_path(self._seen.lease, ("spec",), released(self._seen.lease, self._clock.now()))
            try:
                self._seen = Seen(await self._client.update(LEASES, lease), self._clock.monotonic())
            except Conflict:
                await self._look()


async def _stop(*tasks: asyncio.Task[Any]) -> None:
    """Returns when all have ended. What they have to say has been heard before, or comes too late."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("%s ended with %r", task.get_name(), error)
