"""Throughput of the scheduler's core for pods that look at other pods, and for a policy; no API, no store.

python bench/pod_affinity.py [--nodes 5000] [--pods 5000] [WORKLOAD…]

anti, near, likes, dislikes   one kind of pod: required and preferred, by host and by zone
kinds                         a hundred kinds that each prefer to be apart
stateful                      equal terms, but labels of their own: each pod is another group
unique                        labels and terms of their own
among                         pods without terms among such
policy                        the example of docs/scheduling-policy.md
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sampan_api.meta import Object
from sampan_master.scheduler import read_config
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
PAGE = Path(__file__).parents[1] / "docs" / "scheduling-policy.md"


def node(i: int) -> Object:
    labels = {HOST: f"node-{i}", ZONE: f"z{i % 3}", "lifecycle": "spot" if i % 2 else "reserved"}
    allocatable = {"cpu": "32", "memory": "128Gi", "pods": "110"}
    return {"metadata": {"name": f"node-{i}", "labels": labels}, "spec": {}, "status": {"allocatable": allocatable}}


def pod(i: int, labels: dict[str, str], affinity: dict[str, Any] | None = None) -> Object:
    container = {"name": "c", "image": "pause", "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}
    metadata = {"name": f"pod-{i}", "namespace": "default", "uid": f"uid-{i}", "generation": 1, "labels": labels}
    return {"metadata": metadata, "spec": {"containers": [container], "affinity": affinity or {}}}


def required(side: str, key: str, **labels: str) -> dict[str, Any]:
    return {side: {REQUIRED: [{"topologyKey": key, "labelSelector": {"matchLabels": labels}}]}}


def preferred(side: str, key: str, **labels: str) -> dict[str, Any]:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": labels}}
    return {side: {PREFERRED: [{"weight": 1, "podAffinityTerm": term}]}}


def unique(i: int) -> Object:
    return pod(i, {"app": f"a{i}"}, required("podAntiAffinity", HOST, app=f"a{i}"))


WORKLOADS: dict[str, Callable[[int], Object]] = {
    "anti": lambda i: pod(i, {"app": "a"}, required("podAntiAffinity", HOST, app="a")),
    "near": lambda i: pod(i, {"app": "a"}, required("podAffinity", ZONE, app="a")),
    "likes": lambda i: pod(i, {"app": "a"}, preferred("podAffinity", HOST, app="a")),
    "dislikes": lambda i: pod(i, {"app": "a"}, preferred("podAntiAffinity", HOST, app="a")),
    "kinds": lambda i: pod(i, {"app": f"a{i % 100}"}, preferred("podAntiAffinity", HOST, app=f"a{i % 100}")),
    "stateful": lambda i: pod(i, {"app": "a", "pod": f"a-{i}"}, required("podAntiAffinity", HOST, app="a")),
    "unique": unique,
    "among": lambda i: pod(i, {"app": f"p{i % 100}"}) if i % 10 else unique(i),
    "policy": lambda i: pod(i, {"tier": "batch" if i % 2 else "web"}),
}


def profile(workload: str) -> Profile:
    if workload != "policy":
        return Profile()
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL))
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "batch.py").write_text(blocks["python"])
        path = Path(directory) / "scheduler.yaml"
        path.write_text(blocks["yaml"])
        return read_config(path).profiles[0]


def measure(workload: str, nodes: int, pods: int) -> list[float]:
    """Seconds per pod: signature, choice and assumption. A pod that fits nowhere is counted all the same."""
    cluster = Cluster()
    engine = Engine(cluster, profile(workload), 0)
    for i in range(nodes):
        cluster.nodes.put_node(node(i))
    times = []
    for waiting in [WORKLOADS[workload](i) for i in range(pods)]:
        start = time.perf_counter()
        of = signature(waiting)
        row = engine.choose(of)
        if row is not None:
            cluster.assume(waiting, of, row)
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    arguments = parser.parse_args()
    for workload in arguments.workloads or WORKLOADS:
        cpu = time.thread_time()
        times = np.array(measure(workload, arguments.nodes, arguments.pods))
        cpu = time.thread_time() - cpu
        p50, p90, p99 = np.percentile(times * 1e6, (50, 90, 99))
        print(
            f"{workload}: {len(times) / times.sum():,.0f} pods/s (p50 {p50:.0f} us, p90 {p90:.0f} us, "
            f"p99 {p99:.0f} us), {cpu:.1f} s of CPU including the making of nodes and pods"
        )
    print(f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
