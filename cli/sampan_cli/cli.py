"""Registers the verbs; each is one module in `verbs/`, imported only when it is asked for.

A verb module has `configure(parser)` and `run(args) -> int`. Flags that every verb takes are added here. What follows
`--` is not ours to read: it is `args.command`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import NoReturn

from sampan_cli.errors import CliError

CLUSTER_VERBS = {
    "up": "start a cluster on this machine: a master and three nodes",
    "down": "take the cluster down and leave the machine as it was",
    "status": "the cluster's processes and nodes, and their logs",
    "kubeconfig": "print the path of the admin kubeconfig",
}
API_VERBS = {
    "get": "print objects",
    "describe": "print everything about objects",
    "create": "create objects from files, or a namespace or configmap",
    "apply": "make objects as the files say",
    "delete": "delete objects",
    "scale": "set the number of replicas",
    "logs": "print a container's log",
    "exec": "run a command in a container",
    "label": "change labels",
    "annotate": "change annotations",
}
_ALIASES = {"log": "logs"}
_VALUE_FLAGS = {"-n", "--namespace", "--kubeconfig", "--cluster", "-s", "--server", "--request-timeout", "--context"}


class _Formatter(argparse.HelpFormatter):
    """argparse makes one for every positional; asking it for the terminal's width would import `shutil` each time."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 80
        super().__init__(prog, width=max(columns - 2, 40))


class _Parser(argparse.ArgumentParser):
    """Errors go to stderr in kubectl's words, with exit code 1."""

    def error(self, message: str) -> NoReturn:
        raise CliError(f"error: {message}\nSee '{self.prog} --help' for usage.")


def run(argv: list[str]) -> int:
    try:
        return _run(argv)
    except CliError as error:
        sys.stdout.flush()
        print(error.message, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141


def _run(argv: list[str]) -> int:
    position = _verb_position(argv)
    if position is None:
        print(usage())
        return 0
    verb = _ALIASES.get(argv[position], argv[position])
    if verb in ("help", "version"):
        return _help(argv[position + 1 :]) if verb == "help" else _version()
    if verb not in CLUSTER_VERBS and verb not in API_VERBS:
        raise CliError(f'error: unknown command "{verb}" for "sampan"\nRun \'sampan --help\' for usage.')
    module = importlib.import_module(f"sampan_cli.verbs.{verb}")
    summary = CLUSTER_VERBS.get(verb) or API_VERBS[verb]
    parser = _Parser(prog=f"sampan {verb}", description=summary, formatter_class=_Formatter, allow_abbrev=False)
    module.configure(parser)
    _add_global_flags(parser, api=verb in API_VERBS)
    words = argv[:position] + argv[position + 1 :]
    command: list[str] = []
    if "--" in words:
        split = words.index("--")
        words, command = words[:split], words[split + 1 :]
    args = parser.parse_args(words)
    args.command = command
    result: int = module.run(args)
    sys.stdout.flush()
    return result


def _verb_position(argv: list[str]) -> int | None:
    """The first word that is neither a flag nor a flag's value: `sampan -n x get pods`."""
    i = 0
    while i < len(argv):
        if not argv[i].startswith("-"):
            return i
        i += 2 if argv[i] in _VALUE_FLAGS else 1
    return None


def _add_global_flags(parser: argparse.ArgumentParser, api: bool) -> None:
    parser.add_argument("--cluster", default="sampan", help="the local cluster's name (default: sampan)")
    if not api:
        return
    group = parser.add_argument_group("which server")
    group.add_argument("--kubeconfig", default="", help="file; else $KUBECONFIG, else the local cluster's")
    group.add_argument("--context", default="", help="context of the kubeconfig")
    group.add_argument("-n", "--namespace", default="", help="namespace; else the context's, else default")
    group.add_argument("-s", "--server", default="", help="URL of the API server")
    group.add_argument("--request-timeout", default="0", help="such as 5s; 0 = none")


def _help(rest: list[str]) -> int:
    if rest:
        return run([rest[0], "--help"])
    print(usage())
    return 0


def _version() -> int:
    from importlib.metadata import version

    print(f"sampan {version('sampan')}")
    return 0


def usage() -> str:
    lines = ["Usage: sampan VERB [...]", "", "A cluster on this machine:"]
    lines += [f"  {verb:11} {summary}" for verb, summary in CLUSTER_VERBS.items()]
    lines += ["", "Objects, with the flags of kubectl:"]
    lines += [f"  {verb:11} {summary}" for verb, summary in API_VERBS.items()]
    lines += ["", "`sampan VERB --help` has the flags."]
    return "\n".join(lines)
