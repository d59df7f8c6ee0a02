"""`sampan up`: a cluster on this machine, ready to use.

The settings of the master among its flags go to the master as they are (`--node-monitor-grace-seconds 8`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from sampan_api.components import COMPONENTS, chosen
from sampan_cli.errors import ClusterError, UsageError
from sampan_cli.kubeconfig import cluster_flag

MASTER_FLAGS: dict[str, tuple[type, str, str]] = {
    "--node-heartbeat-seconds": (int, "S", "how often a node says that it is alive (10)"),
    "--node-monitor-grace-seconds": (float, "S", "after which silence it is not Ready (50)"),
    "--node-monitor-period-seconds": (float, "S", "how often that is looked at (5)"),
    "--default-toleration-seconds": (int, "S", "how long pods stay on a node that is not Ready (300)"),
    "--event-ttl-seconds": (int, "S", "how long events are kept (3600)"),
    "--scheduler-config": (str, "FILE", "a KubeSchedulerConfiguration"),
    "--components": (str, "LIST", "of scheduler, controllers: * for all, NAME, -NAME; none for the API alone"),
}
"""The master's, with their types; it has their defaults."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nodes", type=int, default=3, help="how many nodes (default: 3)")
    parser.add_argument("--port", type=int, default=6443, help="of the API; the next free one is taken")
    parser.add_argument("--cluster-cidr", default="10.244.0.0/16", help="the pods' addresses")
    parser.add_argument("--node-cpus", type=int, default=0, help="CPUs per node (default: the machine's/N)")
    parser.add_argument("--node-memory", default="", help="memory per node, such as 2Gi (default: the machine's/N)")
    parser.add_argument("--no-apply", action="store_true", help="do not apply manifests/hello.yaml")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for nodes and pods")
    group = parser.add_argument_group("settings of the master")
    for flag, (kind, metavar, text) in MASTER_FLAGS.items():
        group.add_argument(flag, type=kind, metavar=metavar, help=text, default=None)


def run(args: argparse.Namespace) -> int:
    try:
        return _run(args)
    except KeyboardInterrupt:
        option = cluster_flag(args.cluster)
        said = f'interrupted: "sampan up{option}" goes on with what is there, "sampan down{option}" takes it away'
        print(said, file=sys.stderr)
        raise


def _run(args: argparse.Namespace) -> int:
    from sampan_cli.cluster import bringup, preflight, waiting
    from sampan_cli.cluster.settings import ClusterSettings, kubeconfig_of

    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {text}", flush=True)

    preflight.check()
    _components(args.components)
    if args.scheduler_config:
        # The master runs in another directory.
        args.scheduler_config = os.path.abspath(args.scheduler_config)
        if not os.path.isfile(args.scheduler_config):
            raise UsageError(f"--scheduler-config: {args.scheduler_config} is no file")
    options = {flag: getattr(args, flag.strip("-").replace("-", "_")) for flag in MASTER_FLAGS}
    settings = ClusterSettings(
        cluster=args.cluster,
        nodes=args.nodes,
        port=args.port,
        cluster_cidr=args.cluster_cidr,
        node_cpus=args.node_cpus,
        node_memory=_memory_bytes(args.node_memory),
        master_options=tuple(
            word for flag, value in options.items() if value is not None for word in (flag, str(value))
        ),
    )
    brought = bringup.bring_up(settings, say)
    if brought.was_running:
        count = len(brought.plan.nodes)
        say(f"cluster {args.cluster} is already running, as it was started: {count} node{'s' if count > 1 else ''}")
    session = waiting.wait_for_api(brought.plan, args.timeout, say)
    parts = _parts_of(brought.plan.settings.master_options)
    if "controllers" in parts:
        waiting.wait_for_nodes(session, brought.plan, args.timeout, say)
    if not args.no_apply and not brought.was_running:
        manifest = hello_manifest()
        waiting.apply_manifest(session, manifest, say)
        if parts == frozenset(COMPONENTS):
            waiting.wait_for_pods(session, brought.plan, args.timeout, say)
    for command in _missing(args.cluster, brought.plan.settings.cluster_cidr, parts):
        say(f"the master does not do this itself; start it, or its counterpart: {command}")
    print()
    waiting.print_pods(session)
    print(_next_commands(args.cluster, str(kubeconfig_of(args.cluster)), hello=not args.no_apply))
    return 0


def _components(text: str | None) -> frozenset[str]:
    """Looked at here too: a master that does not start says why in its log only."""
    try:
        return frozenset(COMPONENTS) if text is None else chosen(text)
    except ValueError as error:
        raise UsageError(f"--components: {error}") from error


def _parts_of(options: tuple[str, ...]) -> frozenset[str]:
    """Of the cluster that runs, which may have been started by an `up` before this one."""
    given = [options[i + 1] for i, word in enumerate(options) if word == "--components"]
    return _components(given[-1] if given else None)


def _missing(cluster: str, cidr: str, parts: frozenset[str]) -> list[str]:
    """The commands that do what the master does not."""
    program = f"sampan{cluster_flag(cluster)}"
    commands = {"scheduler": f"{program} scheduler", "controllers": f"{program} controllers --cluster-cidr {cidr}"}
    return [commands[part] for part in COMPONENTS if part not in parts]


def hello_manifest() -> Path:
    """In the repository beside the sources, or in the installed package."""
    here = Path(__file__).resolve()
    for candidate in (here.parents[3] / "manifests" / "hello.yaml", here.parents[1] / "manifests" / "hello.yaml"):
        if candidate.exists():
            return candidate
    raise ClusterError("manifests/hello.yaml is not where Sampan is installed; use --no-apply")


def _memory_bytes(text: str) -> int:
    units = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "k": 10**3, "M": 10**6, "G": 10**9}
    number, factor = text, 1
    for unit, size in units.items():
        if text.endswith(unit):
            number, factor = text.removesuffix(unit), size
            break
    try:
        return round(float(number or 0) * factor)
    except ValueError as error:
        raise UsageError(f'--node-memory "{text}" is not an amount of memory such as 512Mi or 2Gi') from error


def _next_commands(cluster: str, kubeconfig: str, *, hello: bool) -> str:
    flag = cluster_flag(cluster)
    near = os.path.relpath(sys.argv[0])
    path = os.path.abspath(sys.argv[0]) if near.startswith("..") else near
    program = "sampan" if shutil.which("sampan") else path
    of_hello = ("scale rs hello --replicas=5", "logs -f -l app=hello -c c2", "why rs/hello") if hello else ()
    verbs = ("get nodes,pods,rs -A -o wide", *of_hello, "status")
    lines = [f"{program}{flag} {verb}" for verb in verbs]
    lines += [f"export KUBECONFIG={kubeconfig}      # then any kubectl", f"{program}{flag} down"]
    return "\n".join(["", "Try next:", *(f"  {line}" for line in lines)])
