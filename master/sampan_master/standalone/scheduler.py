"""`sampan-scheduler`: schedules the pods of any Kubernetes API server."""

from __future__ import annotations

import sys
from pathlib import Path

from sampan_api.clock import Clock
from sampan_api.https import HttpsClient
from sampan_api.kubeconfig import Access

from sampan_master import scheduler
from sampan_master.scheduler.metrics import SchedulerMetrics
from sampan_master.standalone import settings
from sampan_master.standalone.asking import Asking
from sampan_master.standalone.process import Standalone

LEASE, PORT = "kube-scheduler", 10259


def main(argv: list[str] | None = None) -> int:
    program = "sampan scheduler"
    parser = settings.parser(program, __doc__.partition(": ")[2], lease=LEASE, port=PORT)
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML: profiles, plug-ins and their weights")
    given = parser.parse_args(argv)
    try:
        config = scheduler.read_config(given.config)
    except (OSError, scheduler.ConfigError) as error:
        parser.error(f"--config: {error}")
    metrics, asking = SchedulerMetrics(), Asking()

    async def schedule(client: HttpsClient, clock: Clock, _access: Access) -> None:
        with asking.through(client):
            await scheduler.run(client, clock, config, answers=asking.answers)

    common = settings.common("sampan-scheduler", parser, given)
    return Standalone(common, schedule, {}, [metrics.lines], asking.posts).main()


if __name__ == "__main__":
    sys.exit(main())
