"""`sampan status`: what runs of a cluster, by process and node; `--logs` follows with the end of each log."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sampan_cli.errors import ClusterError
from sampan_cli.kubeconfig import cluster_flag
from sampan_cli.output import print_data
from sampan_cli.table import print_rows


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("json", "yaml"), default="", help="for programs")
    parser.add_argument("--logs", action="store_true", help="the end of each process's log")
    parser.add_argument("component", nargs="?", default="", help="only this one, such as master or agent-node1")


def run(args: argparse.Namespace) -> int:
    from sampan_cli.cluster import record

    loaded = record.load(args.cluster)
    if loaded is None:
        up = f"sampan up{cluster_flag(args.cluster)}"
        raise ClusterError(f'cluster "{args.cluster}" is not there: start it with "{up}"')
    status = describe(*loaded)
    if args.component:
        status["processes"] = [p for p in status["processes"] if args.component in (p["component"], p["name"])]
        if not status["processes"]:
            raise ClusterError(f'cluster "{args.cluster}" has no process "{args.component}"')
    if args.output:
        print_data(status, args.output)
    else:
        _print(status, args.logs or bool(args.component))
    return 0 if all(p["state"] == "running" for p in status["processes"]) else 1


def describe(plan: Any, phase: Any) -> dict[str, Any]:
    from sampan_cli.cluster import record
    from sampan_cli.cluster.record import GUARDIAN, SUPERVISOR
    from sampan_cli.cluster.settings import kubeconfig_of

    cluster = plan.settings.cluster
    log = str(plan.settings.state_dir / "log" / "supervisor.log")
    processes = [_process(cluster, SUPERVISOR, log), _process(cluster, GUARDIAN, log)]
    for component in record.load_components(cluster):
        entry = _process(cluster, component.name, component.log)
        processes.append(entry)
        if entry["name"] == "runtime":
            zygote = _zygote(entry["pid"])
            processes.append({**entry, "name": "zygote", "component": f"zygote-{entry['node']}", **zygote})
    return {
        "cluster": cluster,
        "phase": str(phase),
        "server": f"https://127.0.0.1:{plan.api_port}",
        "kubeconfig": str(kubeconfig_of(cluster)),
        "etcd": f"http://127.0.0.1:{plan.etcd_client_port}",
        "subnet": plan.subnet,
        "bridge": plan.bridge,
        "data": str(plan.settings.state_dir),
        "nodes": [
            {
                "name": node.name,
                "ip": node.ip,
                "netns": node.netns,
                "link": node.veth,
                "runtime": f"unix://{plan.settings.run_dir}/{node.name}/runtime.sock",
            }
            for node in plan.nodes
        ],
        "processes": processes,
    }


def _process(cluster: str, component: str, log: str) -> dict[str, Any]:
    from sampan_cli.cluster import identity, record

    recorded = identity.read(record.process_path(cluster, component))
    alive = recorded is not None and recorded.alive()
    name, _, node = component.partition("-")
    return {
        "component": component,
        "name": name,
        "node": node,
        "pid": recorded.pid if recorded and alive else 0,
        "state": "running" if alive else "dead",
        "starts": recorded.generation if recorded else 0,
        "log": log,
    }


def _zygote(runtime: int) -> dict[str, Any]:
    """The runtime's child of that name; it is not the supervisor's to start."""
    if runtime:
        children = Path(f"/proc/{runtime}/task/{runtime}/children")
        for child in _words(children):
            if b"zygote" in _bytes(Path(f"/proc/{child}/cmdline")):
                return {"pid": int(child), "state": "running"}
    return {"pid": 0, "state": "dead"}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _words(path: Path) -> list[str]:
    return _bytes(path).decode().split()


def _print(status: dict[str, Any], logs: bool) -> None:
    for title, key in (("Cluster", "cluster"), ("API", "server"), ("Kubeconfig", "kubeconfig"), ("etcd", "etcd")):
        print(f"{title + ':':12}{status[key]}")
    print(f"{'Network:':12}{status['subnet']} on bridge {status['bridge']}\n")
    rows = [[n["name"], n["ip"], n["netns"], n["link"], n["runtime"]] for n in status["nodes"]]
    print_rows(["NODE", "IP", "NETNS", "LINK", "RUNTIME ENDPOINT"], rows)
    print()
    rows = [[p["component"], str(p["pid"] or "-"), p["state"], str(p["starts"]), p["log"]] for p in status["processes"]]
    print_rows(["PROCESS", "PID", "STATE", "STARTS", "LOG"], rows)
    if logs:
        from sampan_cli.cluster.waiting import tail

        for path in dict.fromkeys(p["log"] for p in status["processes"]):
            print(f"\n==> {path} <==\n{tail(path)}")
