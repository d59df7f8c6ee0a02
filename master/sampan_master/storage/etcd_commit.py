"""Group commit: compare-and-swap writes that wait at the same moment go to etcd as one transaction.

Each write is a nested Txn with its own compare and its own outcome; the outer one compares nothing. One loop sends
what waits, at most `BATCH_OPS` and `BATCH_BYTES`, never two writes of one key together (etcd refuses that). A write
that depends on other keys (`given`) goes alone: etcd asks all nested compares before it applies any of the writes, so
two such writes in one transaction would not see each other.

**Unclear outcomes.** When the connection breaks, a transaction may or may not have taken effect, and may even do so
later. It is sent again: the same compare makes sure that it takes effect once. When the compare then fails, the key's
history is read back to see whether it was our own first attempt that changed it. A write that finds no etcd within
`PATIENCE` seconds fails with StoreUnavailable, `unclear` when it was ever on its way.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import grpc
from aetcd import rpc

from sampan_master.storage.etcd_link import ATTEMPT_SECONDS, BACKOFF_FIRST, BACKOFF_LAST, EtcdLink, passing, translated
from sampan_master.storage.etcd_revisions import STEP, Places, mark, unmark, watch_start, whole
from sampan_master.storage.keys import prefix_end
from sampan_master.storage.store import (
    KeyValue,
    RevisionMismatch,
    StoreError,
    StoreUnavailable,
    Unwritten,
    WrittenMeanwhile,
)

log = logging.getLogger(__name__)

BATCH_OPS = 100
BATCH_BYTES = 1 << 20
PATIENCE = 10.0
SHORTEST_ATTEMPT = 0.2
HISTORY_STEPS = 16


@dataclass(slots=True, eq=False)
class Write:
    """`value` None deletes. `expected` is etcd's mod revision the key must have, 0: it must not exist."""

    key: bytes
    value: bytes | None
    expected: int
    lease: int
    given: Unwritten | None
    deadline: float
    done: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    sent: bool = False
    """It was on its way once without an answer."""

    def transaction(self, place: int) -> Any:
        if self.value is None:
            change = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=self.key))
        else:
            put = rpc.PutRequest(key=self.key, value=mark(self.value, place), lease=self.lease)
            change = rpc.RequestOp(request_put=put)
        compare = [
            rpc.Compare(result=rpc.Compare.EQUAL, target=rpc.Compare.MOD, key=self.key, mod_revision=self.expected)
        ]
        if self.given is not None:
            compare.append(_compare_unwritten(self.given))
        return rpc.TxnRequest(
            compare=compare,
            success=[change],
            failure=[rpc.RequestOp(request_range=rpc.RangeRequest(key=self.key))],
        )


class GroupCommit:
    def __init__(self, link: EtcdLink, patience: float = PATIENCE) -> None:
        self._link = link
        self._patience = patience
        self._queue: deque[Write] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._closed = False

    async def write(
        self, key: str, value: bytes | None, *, expected: int, lease: int = 0, given: Unwritten | None = None
    ) -> int:
        """The write's revision. Raises RevisionMismatch, WrittenMeanwhile, StoreUnavailable, ValueTooLarge."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        deadline = asyncio.get_running_loop().time() + self._patience
        write = Write(key.encode(), value, expected, lease, given, deadline)
        self._queue.append(write)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all(), name="etcd group commit")
        return await write.done

    async def close(self) -> None:
        """Lets what is on its way finish; what comes later is refused."""
        self._closed = True
        if self._sender is not None:
            await asyncio.wait([self._sender], timeout=self._patience)
            self._sender.cancel()

    async def _send_all(self) -> None:
        while self._queue:
            batch = self._take()
            backoff = BACKOFF_FIRST
            while batch:
                try:
                    await self._send(batch)
                    break
                except grpc.aio.AioRpcError as error:
                    batch = self._after_error(batch, error)
                except Exception as error:
                    # Nobody else answers these writers; whatever went wrong must not leave them waiting.
                    log.exception("etcd: group commit failed")
                    for write in batch:
                        _fail(write, StoreUnavailable(f"etcd: {error!r}", unclear=True))
                    break
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, BACKOFF_LAST)

    def _take(self) -> list[Write]:
        batch: list[Write] = []
        later: list[Write] = []
        keys: set[bytes] = set()
        size = 0
        while self._queue and len(batch) < BATCH_OPS:
            write = self._queue.popleft()
            if write.done.cancelled():
                continue
            size += len(write.value or b"") + len(write.key)
            if batch and (size > BATCH_BYTES or write.given is not None or batch[0].given is not None):
                self._queue.appendleft(write)
                break
            (later if write.key in keys else batch).append(write)
            keys.add(write.key)
        self._queue.extendleft(reversed(later))
        return batch

    async def _send(self, batch: list[Write]) -> None:
        if len(batch) == 1:
            request = batch[0].transaction(0)
        else:
            nested = [write.transaction(place) for place, write in enumerate(batch)]
            request = rpc.TxnRequest(success=[rpc.RequestOp(request_txn=each) for each in nested])
        again = [write.sent for write in batch]
        for write in batch:
            write.sent = True
        left = min(write.deadline for write in batch) - asyncio.get_running_loop().time()
        timeout = max(min(left, ATTEMPT_SECONDS), SHORTEST_ATTEMPT)
        answer = await self._link.kv.Txn(request, timeout=timeout, wait_for_ready=True)
        outcomes = [answer] if len(batch) == 1 else [each.response_txn for each in answer.responses]
        main, places = answer.header.revision, Places()
        for place, (write, outcome) in enumerate(zip(batch, outcomes, strict=True)):
            if outcome.succeeded:
                revision = places.delete(main) if write.value is None else places.put(main, place)
                _settle(write, revision)
            else:
                found = outcome.responses[0].response_range.kvs
                await self._lost(write, found[0] if found else None, main, unclear=again[place])

    async def _lost(self, write: Write, found: Any, main: int, *, unclear: bool) -> None:
        """The compare failed. After an unclear attempt that may be because that attempt had won."""
        if unclear:
            try:
                revision = await self._own(write, found, main)
            except StoreError as error:
                _fail(write, StoreUnavailable(f"its outcome could not be read back: {error}", unclear=True))
                return
            if revision:
                _settle(write, revision)
                return
        current = None if found is None else key_value(found)
        if write.given is not None and (found.mod_revision if found is not None else 0) == write.expected:
            _fail(write, WrittenMeanwhile(write.given.prefix))
        else:
            _fail(write, RevisionMismatch(write.key.decode(), current))

    async def _own(self, write: Write, found: Any, main: int) -> int:
        """The revision at which our earlier attempt took effect, looked for in the key's history; 0 when it did not."""
        if write.value is None:
            # Whoever deleted it, it is gone; the present is a revision at which that is true.
            return whole(main) if found is None else 0
        steps = 0
        while found is not None and found.mod_revision > write.expected and steps < HISTORY_STEPS:
            value, place = unmark(found.value)
            if value == write.value:
                return int(found.mod_revision) * STEP + place
            before = rpc.RangeRequest(key=write.key, revision=found.mod_revision - 1)
            history = (await self._link.call(self._link.kv.Range, before, self._patience)).kvs
            found = history[0] if history else None
            steps += 1
        return 0

    def _after_error(self, batch: list[Write], error: grpc.aio.AioRpcError) -> list[Write]:
        """Which writes of the batch are to be sent again."""
        now = asyncio.get_running_loop().time()
        if not passing(error):
            if len(batch) > 1:
                # One of them is refused; alone, each gets the answer that is its own.
                self._queue.extendleft(reversed(batch[1:]))
                return batch[:1]
            _fail(batch[0], translated(error))
            return []
        log.warning(
            "etcd: %d writes are waiting: %s %s", len(batch) + len(self._queue), error.code().name, error.details()
        )
        for write in (*batch, *self._queue):
            if write.deadline <= now:
                _fail(write, StoreUnavailable(f"etcd: {error.details()}", unclear=write.sent))
        self._queue = deque(write for write in self._queue if not write.done.done())
        return [write for write in batch if not write.done.done()]


def _compare_unwritten(given: Unwritten) -> Any:
    """Holds for an empty range, too: etcd then compares with a key of revision 0."""
    return rpc.Compare(
        result=rpc.Compare.LESS,
        target=rpc.Compare.MOD,
        key=given.prefix.encode(),
        range_end=prefix_end(given.prefix).encode(),
        mod_revision=watch_start(given.revision),
    )


def key_value(found: Any) -> KeyValue:
    value, place = unmark(found.value)
    return KeyValue(found.key.decode(), value, found.mod_revision * STEP + place)


def _settle(write: Write, revision: int) -> None:
    if not write.done.done():
        write.done.set_result(revision)


def _fail(write: Write, error: Exception) -> None:
    if not write.done.done():
        write.done.set_exception(error)
