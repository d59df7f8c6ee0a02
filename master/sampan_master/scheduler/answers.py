"""What a running scheduler answers to those who ask: why a pod has no node, and what would happen if.

There is an answer as long as a planner is at work here (`at_work`): not before the scheduler has read the cluster, and
not in a master whose scheduler is switched off or waits to lead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sampan_api.errors import ServiceUnavailable
from sampan_api.meta import Object

from sampan_master.scheduler import whatif
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.drafting import Draft, drafted
from sampan_master.scheduler.explanation import Answer, why
from sampan_master.scheduler.planner import Planner


class Answers:
    def __init__(self) -> None:
        self._planner: Planner | None = None
        self._config = SchedulerConfig()

    @contextmanager
    def at_work(self, planner: Planner, config: SchedulerConfig) -> Iterator[None]:
        """Inside the block `planner` is asked."""
        self._planner, self._config = planner, config
        try:
            yield
        finally:
            self._planner = None

    def why(self, pod: Object, *, names_pods: bool) -> Answer:
        """Raises ServiceUnavailable."""
        return why(self._present(), pod, names_pods=names_pods)

    async def whatif(self, objects: list[Object], draft: Draft) -> Answer:
        """Raises ServiceUnavailable, BadRequest, and what `draft` raises."""
        self._present()
        found = await drafted(objects, draft)
        copy = await whatif.fork(whatif.snapshot(self._present()), self._config)
        for name, labels in found.namespaces.items():
            copy.put_namespace(name, labels)
        for resource, workload in found.workloads:
            copy.cluster.workloads.put(resource, workload)
        fates = await whatif.imagine(copy, found.nodes, found.pods)
        pods = [whatif.told(copy, fate, found.origins.get(fate.pod["metadata"]["uid"], "waiting")) for fate in fates]
        return {"kind": "WhatIf", "apiVersion": "sampan/v1", "pods": pods, "ignored": found.ignored}

    def _present(self) -> Planner:
        if self._planner is None:
            raise ServiceUnavailable("no scheduler is at work here: it is switched off, starting, or not the leader")
        return self._planner
