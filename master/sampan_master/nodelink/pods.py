"""Writing pod statuses: the newest word per pod, pods side by side, each write fenced by uid and resourceVersion.

A burst of statuses of one pod collapses into its last. A pod the node says has ended and the API wants gone is deleted
with grace 0 under a uid precondition, so that a new pod of the same name is never hit.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, NamedTuple

from sampan_api.client import PODS, Client, DeleteOptions
from sampan_api.clock import Clock
from sampan_api.errors import ApiError, Conflict, NotFound
from sampan_api.informer import Informer
from sampan_api.meta import Key, Object, is_deleting, uid
from sampan_proto import node_pb2

from sampan_master.nodelink.statuses import merge_pod_status

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0


class Report(NamedTuple):
    key: Key
    uid: str
    status: dict[str, Any]
    terminated: bool


class PodStatusWriter:
    """One per session; `close` drops what is not yet written, the agent says it all again when it reconnects."""

    def __init__(self, client: Client, clock: Clock, pods: Informer, node: str) -> None:
        self._client = client
        self._clock = clock
        self._pods = pods
        self._node = node
        self._pending: dict[str, Report] = {}
        self._written: dict[str, Object] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def put(self, message: node_pb2.PodStatus) -> None:
        status = json.loads(message.status) if message.status else {}
        key = Key(message.namespace, message.name)
        self._pending[message.uid] = Report(key, message.uid, status, message.terminated)
        if message.uid not in self._tasks:
            self._tasks[message.uid] = asyncio.create_task(self._drain(message.uid))

    def forget(self, pod_uid: str) -> None:
        """The pod is gone from the API, or not this node's."""
        self._written.pop(pod_uid, None)

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _drain(self, pod_uid: str) -> None:
        try:
            while report := self._pending.pop(pod_uid, None):
                await self._write_until_done(report)
        finally:
            self._tasks.pop(pod_uid, None)

    async def _write_until_done(self, report: Report) -> None:
        while report.uid not in self._pending:
            try:
                await self._write(report)
                return
            except NotFound:
                self._written.pop(report.uid, None)
                return
            except Conflict:
                self._written.pop(report.uid, None)
                continue
            except ApiError as e:
                _log.warning("status of pod %s: %s", report.key, e)
                await self._clock.sleep(_RETRY_SECONDS)

    async def _write(self, report: Report) -> None:
        pod = await self._current(report)
        if pod is None or uid(pod) != report.uid or (pod.get("spec") or {}).get("nodeName") != self._node:
            self._written.pop(report.uid, None)
            return
        if report.status:
            merged = merge_pod_status(pod.get("status") or {}, report.status)
            if merged != pod.get("status"):
                pod = await self._client.update(PODS, {**pod, "status": merged}, "status")
                self._written[report.uid] = pod
        if report.terminated and await self._wants_gone(report, pod):
            self._written.pop(report.uid, None)
            options = DeleteOptions(grace_seconds=0, uid=report.uid)
            await self._client.delete(PODS, report.key.name, report.key.namespace, options)

    async def _current(self, report: Report) -> Object | None:
        """The newest object known here: the watch may be behind our own last write; after a lost race, the API's."""
        seen, own = self._pods.items.get(report.key), self._written.get(report.uid)
        if own is None:
            return await self._client.get(PODS, report.key.name, report.key.namespace)
        if seen is not None and uid(seen) == report.uid and _revision(seen) > _revision(own):
            return seen
        return own

    async def _wants_gone(self, report: Report, pod: Object) -> bool:
        return is_deleting(pod) or is_deleting(await self._client.get(PODS, report.key.name, report.key.namespace))


def _revision(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)
