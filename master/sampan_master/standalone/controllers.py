"""`sampan-controllers`: the controllers for any Kubernetes API server."""

from __future__ import annotations

import sys
from functools import partial

from sampan_api.client import Client
from sampan_api.clock import Clock
from sampan_api.kubeconfig import Access

from sampan_master import controllers
from sampan_master.election_flags import duration
from sampan_master.standalone import settings
from sampan_master.standalone.process import Standalone

LEASE, PORT = "kube-controller-manager", 10257


def main(argv: list[str] | None = None) -> int:
    program = "sampan controllers"
    parser = settings.parser(program, __doc__.partition(": ")[2], lease=LEASE, port=PORT)
    usual = controllers.ControllersConfig()
    add = partial(parser.add_argument, type=duration, metavar="DURATION")
    add("--node-monitor-period", default=usual.node_monitor_period_seconds, help="between two looks at the nodes")
    add("--node-monitor-grace-period", default=usual.node_monitor_grace_seconds, help="after which a node is unknown")
    given = parser.parse_args(argv)

    async def control(client: Client, clock: Clock, access: Access) -> None:
        config = controllers.ControllersConfig(
            node_monitor_period_seconds=given.node_monitor_period,
            node_monitor_grace_seconds=given.node_monitor_grace_period,
            root_ca_pem=access.ca_pem,
        )
        await controllers.run(client, clock, config)

    return Standalone(settings.common("sampan-controllers", parser, given), control, {}, []).main()


if __name__ == "__main__":
    sys.exit(main())
