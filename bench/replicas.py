"""A ReplicaSet from 0 to N replicas Ready, and back to nothing.

    .venv/bin/python bench/replicas.py [--replicas 60] [--nodes 3]
    .venv/bin/python bench/replicas.py --replicas 1000 --simulated 20   # a master, an etcd, and nodes that only speak

It fails unless exactly so many pods were ever made, all are gone in the end and the set's status says so.
The peer on a machine like this one: the real kubelet needed 5.8–8.1 s for 20 replicas on one node.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster import Api, PodWatcher, cluster, print_machine, quantiles
from lone_master import master
from simulated import simulation

REPLICASETS = "/apis/apps/v1/namespaces/default/replicasets"
PODS = "/api/v1/namespaces/default/pods"
LABELS = {"app": "bench"}
MERGE = "application/merge-patch+json"


def replicaset() -> dict[str, object]:
    container = {"name": "c", "image": "busybox:1.35", "command": ["sleep", "3600"]}
    template = {
        "metadata": {"labels": LABELS},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "bench"}, "spec": spec}


def until(watcher: PodWatcher, state: str, count: int) -> Callable[[dict[tuple[str, str], float]], bool]:
    return lambda _seen: watcher.count(state, "bench-") >= count


@contextmanager
def nodes(options: argparse.Namespace) -> Iterator[Api]:
    if options.simulated:
        with master() as server, simulation(server, options.simulated):
            yield server.api
    else:
        with cluster(options.nodes) as kubeconfig:
            yield Api(kubeconfig)


def expect_status(api: Api, replicas: int) -> None:
    """Within ten seconds the set says of itself what is true."""
    deadline = time.monotonic() + 10
    while True:
        found = api.call("GET", f"{REPLICASETS}/bench")
        status = found["status"]
        counts = {status.get(name, 0) for name in ("replicas", "readyReplicas", "availableReplicas")}
        if counts == {replicas} and status["observedGeneration"] == found["metadata"]["generation"]:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"the set says {status}, but there are {replicas}")
        time.sleep(0.1)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--replicas", type=int, default=60)
    arguments.add_argument("--nodes", type=int, default=3)
    arguments.add_argument("--simulated", type=int, default=0, help="so many simulated nodes instead of real ones")
    options = arguments.parse_args()
    print_machine()
    with nodes(options) as api:
        watcher = PodWatcher(api, "default")
        api.call("POST", REPLICASETS, replicaset())
        began = time.monotonic()
        api.call("PATCH", f"{REPLICASETS}/bench", {"spec": {"replicas": options.replicas}}, MERGE)
        watcher.wait(until(watcher, "Ready", options.replicas))
        ready = [moment - began for (_, state), moment in watcher.moments.items() if state == "Ready"]
        print(f"0 → {options.replicas} Ready: {max(ready):.2f} s ({options.replicas / max(ready):.1f} pods/s)")
        print(f"each pod, scale → Ready: {quantiles(ready)}")
        expect_status(api, options.replicas)
        began = time.monotonic()
        api.call("PATCH", f"{REPLICASETS}/bench", {"spec": {"replicas": 0}}, MERGE)
        watcher.wait(until(watcher, "deleted", options.replicas))
        print(f"{options.replicas} → 0: {time.monotonic() - began:.2f} s")
        expect_status(api, 0)
        made = {name for name, _ in watcher.moments}
        if len(made) != options.replicas or api.call("GET", PODS)["items"]:
            raise SystemExit(f"{len(made)} pods were made for {options.replicas} replicas, or some are left")


if __name__ == "__main__":
    main()
