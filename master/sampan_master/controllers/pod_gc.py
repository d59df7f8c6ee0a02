"""Pods nobody else will remove: on a node that is no more, unscheduled but deleted, ended and too many, or stuck on a
node that its operator has declared dead (taint node.kubernetes.io/out-of-service).

A pod that terminates on a node that is merely not heard of stays until the node returns: only the node knows
whether its processes still run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sampan_api import meta
from sampan_api.client import NODES, PODS, Client, DeleteOptions, PatchType
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import ApiError, Conflict, NotFound
from sampan_api.meta import Object

from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.node_health import ready_status
from sampan_master.controllers.pod_facts import created_at, has_ended, node_name

log = logging.getLogger(__name__)

_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def beyond_threshold(pods: Iterable[Object], threshold: int) -> list[Object]:
    """The oldest of the pods that ended, as many as there are too many. A threshold of 0 keeps all."""
    ended = [pod for pod in pods if has_ended(pod) and not meta.is_deleting(pod)]
    excess = len(ended) - threshold
    return sorted(ended, key=created_at)[:excess] if threshold > 0 and excess > 0 else []


def deleted_before_scheduled(pods: Iterable[Object]) -> list[Object]:
    return [pod for pod in pods if meta.is_deleting(pod) and not node_name(pod)]


def out_of_service(pods: Iterable[Object], nodes: dict[str, Object]) -> list[Object]:
    dead = {
        name
        for name, node in nodes.items()
        if ready_status(node) != "True"
        and any(t["key"] == _OUT_OF_SERVICE for t in (node.get("spec") or {}).get("taints") or [])
    }
    return [pod for pod in pods if meta.is_deleting(pod) and node_name(pod) in dead]


class PodCollector:
    def __init__(self, client: Client, clock: Clock, informers: Informers, config: ControllersConfig) -> None:
        self._client, self._clock, self._config = client, clock, config
        self._nodes, self._pods = informers.nodes, informers.pods
        self._missing_since: dict[str, float] = {}

    async def run(self) -> None:
        while True:
            await self._clock.sleep(self._config.pod_gc_period_seconds)
            try:
                await self.collect()
            except ApiError as error:
                log.info("pod garbage collection: %s", error.message)

    async def collect(self) -> None:
        pods = list(self._pods.items.values())
        nodes = {meta.name(node): node for node in self._nodes.items.values()}
        doomed = beyond_threshold(pods, self._config.terminated_pod_threshold) + deleted_before_scheduled(pods)
        for pod in doomed:
            await self._remove(pod)
        for pod in out_of_service(pods, nodes):
            await self._fail(pod, "node is out of service")
            await self._remove(pod)
        gone = await self._nodes_surely_gone(pods, nodes)
        for pod in pods:
            if node_name(pod) in gone:
                await self._fail(pod, "node no longer exists")
                await self._remove(pod)

    async def _nodes_surely_gone(self, pods: list[Object], nodes: dict[str, Object]) -> set[str]:
        """Missing for the whole quarantine, and the API says so too."""
        now = self._clock.monotonic()
        missing = {node_name(pod) for pod in pods} - nodes.keys() - {""}
        self._missing_since = {name: self._missing_since.get(name, now) for name in missing}
        gone = set()
        for name, since in self._missing_since.items():
            if now - since < self._config.pod_gc_quarantine_seconds:
                continue
            try:
                await self._client.get(NODES, name)
            except NotFound:
                gone.add(name)
        return gone

    async def _fail(self, pod: Object, why: str) -> None:
        if has_ended(pod):
            return
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": f"PodGC: {why}",
            "lastTransitionTime": rfc3339(self._clock.now()),
        }
        patch = {"metadata": {"uid": meta.uid(pod)}, "status": {"phase": "Failed", "conditions": [condition]}}
        try:
            await self._client.patch(
                PODS, meta.name(pod), patch, meta.namespace(pod), type=PatchType.STRATEGIC, subresource="status"
            )
        except (NotFound, Conflict):
            return

    async def _remove(self, pod: Object) -> None:
        options = DeleteOptions(grace_seconds=0, uid=meta.uid(pod))
        try:
            await self._client.delete(PODS, meta.name(pod), meta.namespace(pod), options)
        except (NotFound, Conflict):
            return
