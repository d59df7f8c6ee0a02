"""Pods nobody else will remove, the loop: every so often, over what the cache shows.

What the cache says of a node is asked of the API before a pod is removed because of it. A pod is removed as it was
judged (by uid and resourceVersion); one that changed meanwhile is left to the next round, and so is one that fails.
One that was removed does not count any more, even while the cache still shows it: else another would go for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from sampan_api import meta
from sampan_api.client import NODES, PODS, Client, DeleteOptions, PatchType
from sampan_api.clock import Clock
from sampan_api.errors import ApiError, Conflict, NotFound
from sampan_api.meta import Object

from sampan_master.controllers import pod_gc as decide
from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_facts import node_name
from sampan_master.controllers.workqueue import repeat

log = logging.getLogger(__name__)

_AT_ONCE = 50


class PodCollector:
    def __init__(self, client: Client, clock: Clock, informers: Informers, config: ControllersConfig) -> None:
        self._client, self._clock, self._config = client, clock, config
        self._nodes, self._pods = informers.nodes, informers.pods
        self._missing_since: dict[str, float] = {}
        self._removed: set[str] = set()

    async def run(self) -> None:
        await repeat("pod garbage collection", self._clock, self._config.pod_gc_period_seconds, self.collect)

    async def collect(self) -> None:
        self._removed &= {meta.uid(pod) for pod in self._pods.items.values()}
        pods = [pod for pod in self._pods.items.values() if meta.uid(pod) not in self._removed]
        await self._remove_all(decide.beyond_threshold(pods, self._config.terminated_pod_threshold))
        await self._remove_all(decide.terminating_on(pods, await self._out_of_service()))
        gone = await self._nodes_surely_gone(pods)
        await self._remove_all((pod for pod in pods if node_name(pod) in gone), node_is_gone=True)
        await self._remove_all(decide.deleted_before_scheduled(pods))

    async def _out_of_service(self) -> set[str]:
        names = [meta.name(node) for node in self._nodes.items.values() if decide.is_out_of_service(node)]
        live = [await self._node(name) for name in names]
        return {meta.name(node) for node in live if node is not None and decide.is_out_of_service(node)}

    async def _nodes_surely_gone(self, pods: list[Object]) -> set[str]:
        """Missing for the whole quarantine, and the API says so too."""
        now = self._clock.monotonic()
        nodes = {meta.name(node) for node in self._nodes.items.values()}
        missing = {node_name(pod) for pod in pods} - nodes - {""}
        self._missing_since = {name: self._missing_since.get(name, now) for name in missing}
        due = [n for n, since in self._missing_since.items() if now - since >= self._config.pod_gc_quarantine_seconds]
        return {name for name in due if await self._node(name) is None}

    async def _node(self, name: str) -> Object | None:
        try:
            return await self._client.get(NODES, name)
        except NotFound:
            return None

    async def _remove_all(self, pods: Iterable[Object], *, node_is_gone: bool = False) -> None:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def remove(pod: Object) -> None:
            async with limit:
                try:
                    await self._remove(pod, node_is_gone=node_is_gone)
                except NotFound:
                    pass
                except Conflict:
                    return
                except ApiError as error:
                    log.info("pod garbage collection: %s: %s", meta.key(pod), error.message)
                    return
            self._removed.add(meta.uid(pod))

        await asyncio.gather(*(remove(pod) for pod in pods))

    async def _remove(self, pod: Object, *, node_is_gone: bool) -> None:
        name, namespace = meta.name(pod), meta.namespace(pod)
        status = decide.failed_status(pod, self._clock.now(), node_is_gone=node_is_gone)
        if status is not None:
            fence = {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)}
            patch = {"metadata": fence, "status": status}
            pod = await self._client.patch(PODS, name, patch, namespace, type=PatchType.STRATEGIC, subresource="status")
        options = DeleteOptions(grace_seconds=0, uid=meta.uid(pod), resource_version=meta.resource_version(pod))
        await self._client.delete(PODS, name, namespace, options)
