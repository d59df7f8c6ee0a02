"""`sampan label`: `key=value` sets, `key-` removes."""

from __future__ import annotations

import argparse

from sampan_cli import metadata


def configure(parser: argparse.ArgumentParser) -> None:
    metadata.configure(parser)


def run(args: argparse.Namespace) -> int:
    return metadata.run(args, metadata.LABELS)
