from __future__ import annotations

import asyncio
from typing import Protocol

from sampan_api.client import Client
from sampan_api.clock import Clock

from sampan_master.controllers.budget_controller import BudgetController
from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.garbage_controller import GarbageController
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.namespace_content import NamespaceContentController
from sampan_master.controllers.namespace_controller import NamespaceController
from sampan_master.controllers.node_cidr_controller import NodeCidrController
from sampan_master.controllers.node_controller import NodeController
from sampan_master.controllers.pod_gc_controller import PodCollector
from sampan_master.controllers.replica_kinds import REPLICA_SET, REPLICATION_CONTROLLER
from sampan_master.controllers.replicaset_controller import ReplicaSetController
from sampan_master.controllers.taint_eviction_controller import TaintEvictionController


class _Controller(Protocol):
    async def run(self) -> None: ...


async def run(client: Client, clock: Clock, config: ControllersConfig, at_work: asyncio.Event | None = None) -> None:
    """Runs every controller until cancelled. None of them acts before all caches have been filled once, which
    `at_work` is told."""
    informers = Informers(client, clock)
    controllers: list[_Controller] = [
        ReplicaSetController(REPLICA_SET, client, clock, informers, config.workers),
        ReplicaSetController(REPLICATION_CONTROLLER, client, clock, informers, config.workers),
        BudgetController(client, clock, informers, config.workers),
        NamespaceContentController(client, clock, informers, config.root_ca_pem),
        NamespaceController(client, clock, informers),
        GarbageController(client, clock, informers, config.workers),
        NodeController(client, clock, informers, config),
        TaintEvictionController(client, clock, informers),
        PodCollector(client, clock, informers, config),
    ]
    if config.cluster_cidr:
        controllers.append(NodeCidrController(client, clock, informers, config))
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        if at_work is not None:
            at_work.set()
        for controller in controllers:
            tasks.create_task(controller.run())
