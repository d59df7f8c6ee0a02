"""`sampan down`."""

from __future__ import annotations

import argparse
import os

from sampan_cli.errors import ClusterError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep-data", action="store_true", help="keep the store and the nodes' directories")


def run(args: argparse.Namespace) -> int:
    from sampan_cli.cluster import takedown

    if os.geteuid() != 0:
        raise ClusterError('"sampan down" needs root: run it with sudo')
    if takedown.take_down(args.cluster, print, args.keep_data):
        print(f"cluster {args.cluster} is down")
    else:
        print(f"cluster {args.cluster} is not there; nothing to do")
    return 0
