"""`sampan kubeconfig`: where the administrator's kubeconfig is. `export KUBECONFIG=$(sampan kubeconfig)`."""

from __future__ import annotations

import argparse

from sampan_cli.cluster.settings import kubeconfig_of
from sampan_cli.errors import ClusterError
from sampan_cli.kubeconfig import cluster_flag


def configure(parser: argparse.ArgumentParser) -> None:
    """It has no flags of its own."""


def run(args: argparse.Namespace) -> int:
    path = kubeconfig_of(args.cluster)
    if not path.exists():
        up = f"sampan up{cluster_flag(args.cluster)}"
        raise ClusterError(f'cluster "{args.cluster}" has no kubeconfig on this machine: start it with "{up}"')
    print(path)
    return 0
