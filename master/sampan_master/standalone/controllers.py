"""`sampan-controllers`: the controllers for any Kubernetes API server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from functools import partial

from sampan_api.client import Client
from sampan_api.clock import Clock
from sampan_api.kubeconfig import Access

from sampan_master import controllers
from sampan_master.controllers import ControllersConfig
from sampan_master.controllers.node_cidrs import why_not
from sampan_master.election_flags import duration
from sampan_master.standalone import settings
from sampan_master.standalone.process import Standalone

LEASE, PORT = "kube-controller-manager", 10257


def main(argv: list[str] | None = None) -> int:
    program = "sampan controllers"
    parser = settings.parser(program, __doc__.partition(": ")[2], lease=LEASE, port=PORT)
    _add_flags(parser)
    given = parser.parse_args(argv)
    if given.cluster_cidr and (wrong := why_not(given.cluster_cidr, given.node_cidr_mask_size)):
        parser.error(wrong)
    try:
        config = _config(given)
    except ValueError as error:
        parser.error(str(error))
    part = _Control(config)
    common = settings.common("sampan-controllers", parser, given)
    return Standalone(common, part, {"informer-sync": part.synced}, []).main()


class _Control:
    def __init__(self, config: ControllersConfig) -> None:
        self._config, self._leads, self._at_work = config, False, asyncio.Event()

    async def __call__(self, client: Client, clock: Clock, access: Access) -> None:
        self._leads = True
        self._at_work.clear()
        try:
            config = replace(self._config, root_ca_pem=access.ca_pem)
            await controllers.run(client, clock, config, self._at_work)
        finally:
            self._leads = False

    def synced(self) -> str:
        """A candidate that does not lead is as ready as it can be."""
        return "the cluster has not been read yet" if self._leads and not self._at_work.is_set() else ""


def _add_flags(parser: argparse.ArgumentParser) -> None:
    """Those of kube-controller-manager, with its names."""
    usual = ControllersConfig()
    group = parser.add_argument_group("nodes and pods")
    add = partial(group.add_argument, type=duration, metavar="DURATION")
    add("--node-monitor-period", default=usual.node_monitor_period_seconds, help="between two looks at the nodes")
    add("--node-monitor-grace-period", default=usual.node_monitor_grace_seconds, help="after which a node is unknown")
    add("--node-startup-grace-period", default=usual.node_startup_grace_seconds, help="the same for one just made")
    add = partial(group.add_argument, type=float, metavar="N")
    add("--node-eviction-rate", default=usual.node_eviction_rate, help="nodes per second")
    add("--secondary-node-eviction-rate", default=usual.secondary_node_eviction_rate, help="in a sick, large zone")
    add("--unhealthy-zone-threshold", default=usual.unhealthy_zone_threshold, help="share of nodes down")
    add = partial(group.add_argument, type=int, metavar="N")
    add("--large-cluster-size-threshold", default=usual.large_cluster_nodes, help="more nodes make a zone large")
    add("--terminated-pod-gc-threshold", default=usual.terminated_pod_threshold, help="ended pods kept; 0 keeps all")
    add("--node-cidr-mask-size", default=usual.node_cidr_mask, help="bits of each node's part of the cluster CIDR")
    group.add_argument("--cluster-cidr", default="", metavar="CIDR", help="give nodes parts of it (else none)")


def _config(given: argparse.Namespace) -> ControllersConfig:
    """Raises ValueError."""
    return ControllersConfig(
        node_monitor_period_seconds=given.node_monitor_period,
        node_monitor_grace_seconds=given.node_monitor_grace_period,
        node_startup_grace_seconds=given.node_startup_grace_period,
        node_eviction_rate=given.node_eviction_rate,
        secondary_node_eviction_rate=given.secondary_node_eviction_rate,
        unhealthy_zone_threshold=given.unhealthy_zone_threshold,
        large_cluster_nodes=given.large_cluster_size_threshold,
        terminated_pod_threshold=given.terminated_pod_gc_threshold,
        cluster_cidr=given.cluster_cidr,
        node_cidr_mask=given.node_cidr_mask_size,
    )


if __name__ == "__main__":
    sys.exit(main())
