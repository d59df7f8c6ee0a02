"""`sampan-scheduler`: schedules the pods of any Kubernetes API server."""

from __future__ import annotations

import sys
from pathlib import Path

from sampan_api.clock import Clock
from sampan_api.https import HttpsClient
from sampan_api.kubeconfig import Access

from sampan_master import scheduler
from sampan_master.standalone import settings
from sampan_master.standalone.asking import Asking
from sampan_master.standalone.process import Standalone

LEASE, PORT = "kube-scheduler", 10259


def main(argv: list[str] | None = None) -> int:
    program = "sampan scheduler"
    parser = settings.parser(program, __doc__.partition(": ")[2], lease=LEASE, port=PORT)
    parser.add_argument("--config", type=Path, metavar="FILE", help="a KubeSchedulerConfiguration; flags override it")
    try:
        config = scheduler.read_config(parser.parse_args(argv).config, standalone=True)
    except (OSError, scheduler.ConfigError) as error:
        parser.error(f"--config: {error}")
    parser.set_defaults(**config.process)
    part = _Schedule(config)
    common = settings.common("sampan-scheduler", parser, parser.parse_args(argv))
    lines = [part.metrics.lines]
    return Standalone(common, part, {"informer-sync": part.synced}, lines, part.asking.posts).main()


class _Schedule:
    def __init__(self, config: scheduler.SchedulerConfig) -> None:
        self.metrics, self.asking = scheduler.SchedulerMetrics(), Asking()
        self._config, self._leads = config, False

    async def __call__(self, client: HttpsClient, clock: Clock, _access: Access) -> None:
        self._leads = True
        try:
            with self.asking.through(client):
                await scheduler.run(client, clock, self._config, self.metrics, self.asking.answers)
        finally:
            self._leads = False

    def synced(self) -> str:
        """A candidate that does not lead is as ready as it can be."""
        return "the cluster has not been read yet" if self._leads and not self.metrics.at_work else ""


if __name__ == "__main__":
    sys.exit(main())
