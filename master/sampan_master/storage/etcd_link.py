"""The connection to etcd: one gRPC channel, calls that outlast an outage up to a bound, errors as `StoreError`s.

The generated stubs are aetcd's; its client is not used because it hides the header's revision, range limits and
the grouping of watch events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import grpc
from aetcd import rpc

from sampan_master.storage.store import Compacted, FutureRevision, StoreError, StoreUnavailable, ValueTooLarge

ATTEMPT_SECONDS = 5.0
BACKOFF_FIRST, BACKOFF_LAST = 0.05, 1.0
MESSAGE_LIMIT = 16 << 20

_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    # etcd drops clients that ping more often than every 5 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # This one is how long a connection may take to come about.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
]

_PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


class LeaseGone(StoreUnavailable):
    """etcd does not know the lease a key was to be written with; nothing was written."""


class EtcdLink:
    def __init__(self, endpoints: str) -> None:
        """`endpoints`: "http://host:port", several separated by commas."""
        self._channel = grpc.aio.insecure_channel(target_of(endpoints), options=_OPTIONS)
        self.kv = rpc.KVStub(self._channel)
        self.watches = rpc.WatchStub(self._channel)
        self.leases = rpc.LeaseStub(self._channel)

    async def call(self, method: Callable[..., Awaitable[Any]], request: Any, patience: float) -> Any:
        """For requests that may be sent twice. Tries again for up to `patience` seconds while etcd cannot be reached,
        then raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        backoff = BACKOFF_FIRST
        while True:
            left = max(deadline - loop.time(), 0.1)
            try:
                return await method(request, timeout=min(left, ATTEMPT_SECONDS), wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                if not passing(error) or loop.time() + backoff >= deadline:
                    raise translated(error) from error
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, BACKOFF_LAST)

    async def close(self) -> None:
        await self._channel.close()


def target_of(endpoints: str) -> str:
    """gRPC's target for etcd's way of naming endpoints. Raises ValueError."""
    hosts = []
    for endpoint in endpoints.split(","):
        url = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
        if url.scheme not in ("", "http") or not url.hostname:
            raise ValueError(f"etcd endpoint {endpoint!r}: http://HOST:PORT is supported")
        hosts.append(f"{url.hostname}:{url.port or 2379}")
    return f"ipv4:{','.join(hosts)}" if len(hosts) > 1 else hosts[0]


def passing(error: grpc.aio.AioRpcError) -> bool:
    """Whether trying again may help. The call may have taken effect all the same."""
    return error.code() in _PASSING


def translated(error: grpc.aio.AioRpcError) -> StoreError:
    details = error.details() or ""
    if "has been compacted" in details:
        return Compacted(0)
    if "is a future revision" in details:
        return FutureRevision(details)
    if "request is too large" in details or "larger than max" in details:
        return ValueTooLarge(details)
    if "requested lease not found" in details:
        return LeaseGone(details)
    return StoreUnavailable(f"etcd: {error.code().name}: {details}", unclear=passing(error))
