"""Registers the verbs; each is one module in `verbs/`, imported only when it is asked for.

A verb module has `configure(parser)` and `run(args) -> int`, or `MODULE`, a process of another plank that it becomes.
Flags that every verb takes are added here. What follows `--` is not ours to read: it is `args.command`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import NoReturn

from sampan_cli.errors import CliError
from sampan_cli.table import terminal_width

CLUSTER_VERBS = {
    "up": "start a cluster on this machine: a master and three nodes",
    "down": "take the cluster down and leave the machine as it was",
    "status": "the cluster's processes and nodes, and their logs",
    "kubeconfig": "print the path of the admin kubeconfig",
}
PROCESS_VERBS = {
    "scheduler": "schedule the pods of any Kubernetes API server",
    "controllers": "run the controllers for any Kubernetes API server",
    "sim": "add simulated nodes to any Kubernetes cluster, whose pods run by stages",
}
API_VERBS = {
    "get": "print objects",
    "describe": "print everything about objects",
    "why": "what holds an object up, and what would help",
    "whatif": "where the pods of files would go, changing nothing",
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
        super().__init__(prog, width=max(terminal_width() - 2, 40))


class _Parser(argparse.ArgumentParser):
    """Errors go to stderr in kubectl's words, with exit code 1."""

    def error(self, message: str) -> NoReturn:
        raise CliError(f"error: {_as_kubectl(message)}\nSee '{self.prog} --help' for usage.")

    def read(self, words: list[str]) -> argparse.Namespace:
        args, rest = self.parse_known_args(words)
        for word in rest:
            if word.startswith("--"):
                self.error(f"unknown flag: {word.partition('=')[0]}")
            if word.startswith("-"):
                self.error(f"unknown shorthand flag: {word[1]!r} in {word}")
        # Words on both sides of a flag, as in `get pod -n x y`, are beyond argparse's usual way.
        return self.parse_intermixed_args(words) if rest else args


def _as_kubectl(message: str) -> str:
    """argparse's complaints in kubectl's words."""
    flag = message.removeprefix("argument ").partition(":")[0].rpartition("/")[2]
    if message.endswith(("expected one argument", "expected at least one argument")):
        return f"flag needs an argument: {flag}"
    if ": invalid choice: " in message:
        given, _, choices = message.partition(": invalid choice: ")[2].partition(" (choose from ")
        said = given.strip("'")
        return f'invalid argument "{said}" for "{flag}" flag: must be one of {choices.rstrip(")")}'
    if ": invalid " in message:
        what, _, given = message.partition(": invalid ")[2].partition(" value: ")
        said = given.strip("'")
        reason = {"int": "not a whole number", "float": "not a number"}.get(what, f"not {what}")
        return f'invalid argument "{said}" for "{flag}" flag: {reason}'
    _required, _, names = message.partition(" required: ")
    if names.startswith("-"):
        return "required flag(s) " + ", ".join(f'"{name.strip("-")}"' for name in names.split(", ")) + " not set"
    return message.replace("unrecognized arguments:", "unexpected arguments:")


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
        return _no_verb(argv)
    verb = _ALIASES.get(argv[position], argv[position])
    if verb in ("help", "version"):
        return _help(argv[position + 1 :]) if verb == "help" else _version()
    if verb not in CLUSTER_VERBS and verb not in API_VERBS and verb not in PROCESS_VERBS:
        raise _unknown_command(verb)
    module = importlib.import_module(f"sampan_cli.verbs.{verb}")
    if verb in PROCESS_VERBS:
        from sampan_cli import processes

        return processes.become(module.MODULE, argv[:position] + argv[position + 1 :])
    summary = CLUSTER_VERBS.get(verb) or API_VERBS[verb]
    parser = _Parser(prog=f"sampan {verb}", description=summary, formatter_class=_Formatter, allow_abbrev=False)
    module.configure(parser)
    _add_global_flags(parser, api=verb in API_VERBS)
    words = argv[:position] + argv[position + 1 :]
    command: list[str] = []
    if "--" in words:
        split = words.index("--")
        words, command = words[:split], words[split + 1 :]
    args = parser.read(words)
    args.command = command
    result: int = module.run(args)
    sys.stdout.flush()
    return result


def _no_verb(argv: list[str]) -> int:
    if "--version" in argv:
        return _version()
    known = {"-h", "--help", *_VALUE_FLAGS}
    for word in argv:
        flag = word.partition("=")[0]
        if word.startswith("-") and flag not in known:
            raise CliError(f"error: unknown flag: {flag}\nSee 'sampan --help' for usage.")
    print(usage())
    return 0


def _unknown_command(word: str) -> CliError:
    from difflib import get_close_matches

    close = get_close_matches(word, [*CLUSTER_VERBS, *API_VERBS, *PROCESS_VERBS], n=1)
    meant = f"\n\nDid you mean this?\n\t{close[0]}\n" if close else ""
    return CliError(f'error: unknown command "{word}" for "sampan"{meant}\nRun \'sampan --help\' for usage.')


def _verb_position(argv: list[str]) -> int | None:
    """The first word that is neither a flag nor a flag's value: `sampan -n x get pods`."""
    i = 0
    while i < len(argv):
        if not argv[i].startswith("-"):
            return i
        i += 2 if argv[i] in _VALUE_FLAGS else 1
    return None


def _add_global_flags(parser: argparse.ArgumentParser, api: bool) -> None:
    if not api:
        parser.add_argument("--cluster", default="sampan", help="the local cluster's name (default: sampan)")
        return
    group = parser.add_argument_group("which server")
    group.add_argument("--kubeconfig", default="", help="file; else $KUBECONFIG, else the local cluster's")
    group.add_argument("--cluster", default="", help="a local cluster's name, instead of a kubeconfig")
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
    lines += ["", "Parts of a control plane, as processes of their own:"]
    lines += [f"  {verb:11} {summary}" for verb, summary in PROCESS_VERBS.items()]
    lines += ["", "`sampan VERB --help` has the flags."]
    return "\n".join(lines)
