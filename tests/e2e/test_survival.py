"""kill -9 of every process of the system in turn, while 30 pods run."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator

import pytest
from lab import SAMPAN, Cluster, container_processes, eventually, run, start_time

pytestmark = pytest.mark.e2e

REPLICAS = 30


def replicaset(replicas: int) -> str:
    container = {"name": "c", "image": "busybox:1.35", "command": ["sleep", "36000"]}
    labels = {"app": "fleet"}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": "fleet"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
    )


@pytest.fixture(scope="module")
def fleet(cluster: Cluster) -> Iterator[Cluster]:
    cluster.apply(replicaset(REPLICAS))
    cluster.wait_ready("app=fleet", REPLICAS)
    yield cluster
    cluster.kubectl("delete", "rs", "fleet")
    cluster.wait_gone("app=fleet")


class Writer(threading.Thread):
    """Creates ConfigMaps one after another and keeps the names the server acknowledged."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        super().__init__(daemon=True)
        self.cluster, self.prefix = cluster, prefix
        self.acknowledged: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            name = f"{self.prefix}-{number}"
            done = self.cluster.kubectl(
                "create", "configmap", name, f"--from-literal=n={number}", "--request-timeout=5s", check=False
            )
            if done.returncode == 0:
                self.acknowledged.append(name)

    def stop(self) -> list[str]:
        self.over.set()
        self.join(180)
        return self.acknowledged


@pytest.mark.parametrize("victim", ["master", "agent", "runtime", "zygote", "supervisor", "etcd"])
def test_kill_9_changes_no_container_and_loses_no_acknowledged_write(fleet: Cluster, victim: str) -> None:
    pods = fleet.wait_ready("app=fleet", REPLICAS)
    before = container_processes(pods)
    assert len(before) == REPLICAS
    node = "" if victim in ("master", "etcd", "supervisor") else "node1"
    pid = fleet.pid(victim, node)
    born = start_time(pid)
    writer = Writer(fleet, f"kill-{victim}")
    writer.start()
    eventually(lambda: len(writer.acknowledged) >= 3, "writes flow")
    os.kill(pid, signal.SIGKILL)
    assert born is not None

    def back() -> bool:
        new = fleet.pid(victim, node)
        return new != pid and start_time(new) is not None

    eventually(back, f"a new {victim}")
    reached = len(writer.acknowledged)
    eventually(lambda: len(writer.acknowledged) >= reached + 2, "writes flow again")
    acknowledged = writer.stop()
    _converges(fleet)
    assert container_processes(fleet.wait_ready("app=fleet", REPLICAS)) == before
    stored = {item["metadata"]["name"] for item in fleet.items("configmaps")}
    assert not set(acknowledged) - stored, "acknowledged writes are lost"
    fleet.kubectl("delete", "configmaps", *acknowledged, "--wait=false")


def _converges(cluster: Cluster) -> None:
    """A new pod on node1 becomes Ready and goes again: master, scheduler, agent, runtime and zygote all work."""
    container = {"name": "c", "image": "busybox:1.35", "command": ["sleep", "3600"]}
    probe = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "labels": {"app": "probe"}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": {"kubernetes.io/hostname": "node1"},
            "containers": [container],
        },
    }
    cluster.apply(json.dumps(probe))
    cluster.wait_ready("app=probe", 1)
    cluster.kubectl("delete", "pod", "probe", "--grace-period=1")
    eventually(
        lambda: cluster.kubectl("get", "nodes", "--no-headers").stdout.count(" Ready ") == 3, "all nodes are Ready"
    )


def test_a_cut_link_moves_the_pods_and_its_return_removes_the_strays(fleet: Cluster) -> None:
    link = next(n["link"] for n in _nodes(fleet) if n["name"] == "node2")
    stranded = [p for p in fleet.wait_ready("app=fleet", REPLICAS) if p["spec"]["nodeName"] == "node2"]
    assert stranded, "node2 holds no pod"
    processes = container_processes(stranded)
    run("ip", "link", "set", link, "down")
    try:
        eventually(lambda: _ready_status(fleet, "node2") == "Unknown", "node2 is NotReady")
        taints = eventually(lambda: fleet.get("node", "node2")["spec"].get("taints"), "taints")
        assert ("node.kubernetes.io/unreachable", "NoExecute") in {(t["key"], t["effect"]) for t in taints}
        assert "NotReady" in fleet.kubectl("get", "node", "node2").stdout
        moved = fleet.wait_ready("app=fleet", REPLICAS)
        assert {p["spec"]["nodeName"] for p in moved} == {"node1", "node3"}
        alive = [key for key, (pid, born) in processes.items() if start_time(pid) == born]
        assert len(alive) == len(processes), "nothing on the node changes while the master is away"
    finally:
        run("ip", "link", "set", link, "up")
    eventually(lambda: _ready_status(fleet, "node2") == "True", "node2 is back")
    eventually(lambda: not fleet.get("node", "node2")["spec"].get("taints"), "the taints are gone")
    eventually(
        lambda: not [key for key, (pid, born) in processes.items() if start_time(pid) == born],
        "the strays are removed",
    )
    fleet.wait_ready("app=fleet", REPLICAS)


def _nodes(cluster: Cluster) -> list[dict[str, str]]:
    return list(json.loads(run(SAMPAN, "status", "--cluster", cluster.name, "-o", "json").stdout)["nodes"])


def _ready_status(cluster: Cluster, node: str) -> str:
    conditions = cluster.get("node", node)["status"]["conditions"]
    return next(c["status"] for c in conditions if c["type"] == "Ready")
