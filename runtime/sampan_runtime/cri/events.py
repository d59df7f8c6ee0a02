"""Whoever follows GetContainerEvents. A follower too slow to keep up is cut off: it lists again when it returns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from cri_api.v1 import api_pb2 as cri

_BACKLOG = 1024


class EventHub:
    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[cri.ContainerEventResponse | None]] = set()

    def publish(self, event: cri.ContainerEventResponse) -> None:
        for queue in tuple(self._queues):
            if queue.qsize() >= _BACKLOG:
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def close(self) -> None:
        for queue in self._queues:
            queue.put_nowait(None)
        self._queues.clear()

    async def follow(self) -> AsyncIterator[cri.ContainerEventResponse]:
        queue: asyncio.Queue[cri.ContainerEventResponse | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)
