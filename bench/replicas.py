"""A ReplicaSet from 0 to N replicas Ready, and back to nothing.

    .venv/bin/python bench/replicas.py [--replicas 60] [--nodes 3]

The peer on a machine like this one: the real kubelet needed 5.8–8.1 s for 20 replicas on one node.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from cluster import Api, PodWatcher, cluster, print_machine, quantiles

REPLICASETS = "/apis/apps/v1/namespaces/default/replicasets"
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


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--replicas", type=int, default=60)
    arguments.add_argument("--nodes", type=int, default=3)
    options = arguments.parse_args()
    print_machine()
    with cluster(options.nodes) as kubeconfig:
        api = Api(kubeconfig)
        watcher = PodWatcher(api, "default")
        api.call("POST", REPLICASETS, replicaset())
        began = time.monotonic()
        api.call("PATCH", f"{REPLICASETS}/bench", {"spec": {"replicas": options.replicas}}, MERGE)
        watcher.wait(until(watcher, "Ready", options.replicas))
        ready = [moment - began for (_, state), moment in watcher.moments.items() if state == "Ready"]
        print(f"0 → {options.replicas} Ready: {max(ready):.2f} s ({options.replicas / max(ready):.1f} pods/s)")
        print(f"each pod, scale → Ready: {quantiles(ready)}")
        began = time.monotonic()
        api.call("PATCH", f"{REPLICASETS}/bench", {"spec": {"replicas": 0}}, MERGE)
        watcher.wait(until(watcher, "deleted", options.replicas))
        print(f"{options.replicas} → 0: {time.monotonic() - began:.2f} s")


if __name__ == "__main__":
    main()
