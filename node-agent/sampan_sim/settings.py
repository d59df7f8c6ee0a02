"""What `sampan-sim` can be told, and where it comes from: the command line, and the file that it names."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import dataclass
from pathlib import Path

from sampan_sim.config import Config, load

_MOST = 1_000_000
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """`nodes` None: as many as the file says. `kubeconfig` "": $KUBECONFIG."""

    config: Config
    nodes: int | None
    prefix: str
    kubeconfig: str
    context: str
    keep: bool
    writers: int
    verbose: bool


def parse(argv: list[str] | None = None) -> Settings:
    """Ends the process with a message when the command line is wrong, as argparse does. Raises ConfigError."""
    given = parser().parse_args(argv)
    config = load(given.file) if given.file else Config()
    if given.seed is not None:
        config = config.model_copy(update={"seed": given.seed})
    return Settings(
        config=config,
        nodes=given.nodes if given.nodes or given.file else 1,
        prefix=given.prefix,
        kubeconfig=given.kubeconfig or os.environ.get("KUBECONFIG", "").partition(":")[0],
        context=given.context,
        keep=given.keep,
        writers=given.writers,
        verbose=given.verbose,
    )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="sampan-sim", description="Adds simulated nodes to a cluster; their pods run by stages."
    )
    made.add_argument("--nodes", type=_count, metavar="N", help="how many (1, or as many as the file says)")
    made.add_argument("-f", "--file", type=Path, metavar="FILE", help="YAML: groups of nodes, behaviour of pods")
    made.add_argument("--seed", type=int, metavar="S", help="of all chance; else the file's")
    made.add_argument("--prefix", type=_prefix, default="sim", help="of the nodes' names (default: sim)")
    made.add_argument("--keep", action="store_true", help="leave nodes and pods in the API at the end")
    made.add_argument("--kubeconfig", default="", metavar="FILE", help="else $KUBECONFIG")
    made.add_argument("--context", default="", help="of the kubeconfig")
    made.add_argument("--writers", type=_count, default=16, metavar="N", help="status writes at a time (default: 16)")
    made.add_argument("--verbose", action="store_true")
    return made


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", text) or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST}")
    return int(text)


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name: small letters, digits and dashes, at most 42")
    return text
