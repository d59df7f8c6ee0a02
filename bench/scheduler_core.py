"""Throughput of the scheduler's core: choose and assume, without API and store.

python bench/scheduler_core.py [--nodes 5000] [--pods 10000] [--signatures 1]
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np
from sampan_api.meta import Object
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.queue import SchedulingQueue, kind_of


def node(i: int) -> Object:
    return {
        "metadata": {"name": f"node-{i}", "labels": {"kubernetes.io/hostname": f"node-{i}", "zone": f"z{i % 3}"}},
        "spec": {},
        "status": {"allocatable": {"cpu": "32", "memory": "128Gi", "pods": "110"}},
    }


def pod(i: int, signatures: int) -> Object:
    requests = {"cpu": f"{100 + i % signatures}m", "memory": "500Mi"}
    return {
        "metadata": {"name": f"pod-{i}", "namespace": "default", "uid": f"uid-{i}", "generation": 1},
        "spec": {"containers": [{"name": "c", "image": "pause", "resources": {"requests": requests}}]},
    }


def measure(nodes: int, pods: int, signatures: int) -> list[float]:
    """Seconds per pod: signature, queue, choice and assumption."""
    cluster, config = Cluster(), SchedulerConfig()
    engine, queue = Engine(cluster, config.profiles[0], config.seed), SchedulingQueue(config)
    for i in range(nodes):
        cluster.nodes.put_node(node(i))
    waiting_pods = [pod(i, signatures) for i in range(pods)]
    times = []
    for waiting_pod in waiting_pods:
        start = time.perf_counter()
        queue.put(waiting_pod, kind_of(waiting_pod), 0.0)
        waiting = queue.pop()
        assert waiting is not None
        row = engine.choose(waiting.kind.signature)
        assert row is not None
        cluster.assume(waiting.pod, waiting.kind.signature, row)
        queue.remove(waiting_pod["metadata"]["uid"])
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=10000)
    parser.add_argument("--signatures", type=int, default=1)
    arguments = parser.parse_args()
    cpu = time.thread_time()
    times = np.array(measure(arguments.nodes, arguments.pods, arguments.signatures))
    cpu = time.thread_time() - cpu
    p50, p90, p99 = np.percentile(times * 1e6, (50, 90, 99))
    print(
        f"{arguments.nodes} nodes, {arguments.pods} pods, {arguments.signatures} signatures: "
        f"{len(times) / times.sum():,.0f} pods/s (p50 {p50:.0f} us, p90 {p90:.0f} us, p99 {p99:.0f} us)"
    )
    print(f"{cpu:.2f} s of CPU including the making of nodes and pods, {times.sum():.2f} s of wall time for the pods")
    print(f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
