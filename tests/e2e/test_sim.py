"""Simulated nodes beside real ones in one cluster, seen with the real kubectl."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import SAMPAN, Cluster, eventually

pytestmark = pytest.mark.e2e

SIM = """
seed: 3
lease: {duration: 4s}  # renewed each second; the cluster's nodes may be silent for twelve
nodes:
- name: a
  count: 3
  capacity: {cpu: 4, memory: 8Gi, pods: 20}
  taints: [{key: simulated, effect: NoSchedule}]
  zones: [z1, z2]
- name: b
  count: 2
  capacity: {cpu: 16, memory: 64Gi, pods: 110, example.com/gpu: 4}
  taints: [{key: simulated, effect: NoSchedule}]
pods:
- matchLabels: {app: sim}
  start: {min: 100ms, max: 300ms}
  stop: 100ms
"""
PODS = """
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: sim}
spec:
  replicas: 20
  selector: {matchLabels: {app: sim}}
  template:
    metadata: {labels: {app: sim}}
    spec:
      nodeSelector: {sampan.dev/simulated-by: e2e}
      tolerations: [{key: simulated, operator: Exists}]
      containers: [{name: c, image: example.com/nowhere:1, resources: {requests: {cpu: 500m}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: real, labels: {app: real}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: "busybox:1.35", command: [sleep, "3600"]}]
"""


class Simulation:
    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster, self.log = cluster, directory / "sim.log"
        self.file = directory / "sim.yaml"
        self.file.write_text(SIM)
        self.start()

    def start(self) -> None:
        command = [SAMPAN, "sim", "-f", self.file, "--prefix", "e2e", "--kubeconfig", self.cluster.kubeconfig]
        with self.log.open("a") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)

    def end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def nodes_ready(self) -> bool:
        nodes = self.cluster.items("nodes", "-l", "sampan.dev/simulated-by=e2e")
        assert self.process.poll() is None, self.log.read_text()
        return sum({"type": "Ready", "status": "True"}.items() <= c.items() for n in nodes for c in conditions(n)) == 5


def conditions(obj: dict) -> list[dict]:
    return obj.get("status", {}).get("conditions", [])


@pytest.fixture
def sim(clean: Cluster, tmp_path: Path) -> Iterator[Simulation]:
    made = Simulation(clean, tmp_path)
    try:
        yield made
    finally:
        made.end(signal.SIGTERM)


def test_simulated_nodes_beside_real_ones(sim: Simulation) -> None:
    cluster = sim.cluster
    eventually(sim.nodes_ready, "five simulated nodes Ready")
    cluster.apply(PODS)
    pods = cluster.wait_ready("app=sim", 20)
    real = cluster.wait_ready("app=real", 1)[0]
    assert {pod["spec"]["nodeName"] for pod in pods} <= {f"e2e-a-{i}" for i in range(3)} | {"e2e-b-0", "e2e-b-1"}
    assert len({pod["status"]["podIP"] for pod in pods}) == 20
    assert not real["spec"]["nodeName"].startswith("e2e-")
    wide = {line.split()[0]: line for line in cluster.kubectl("get", "nodes", "-o", "wide").stdout.splitlines()[1:]}
    assert len(wide) == 8
    assert "Sampan simulated node" in wide["e2e-a-0"]
    assert "sampan-sim://" in wide["e2e-a-0"]
    described = cluster.kubectl("describe", "node", "e2e-b-0").stdout
    for said in ("KubeletReady", "example.com/gpu", "RenewTime", "simulated:NoSchedule", "PodCIDR:", "sim-"):
        assert said in described, described
    name = pods[0]["metadata"]["name"]
    refused = cluster.kubectl("logs", name, check=False)
    assert "is simulated" in refused.stderr
    assert refused.returncode == 1
    refused = cluster.exec(name, "true", check=False)
    assert "nothing runs that exec could reach" in refused.stderr


def test_a_killed_simulation_goes_on_and_an_ended_one_takes_its_nodes_away(sim: Simulation) -> None:
    cluster = sim.cluster
    eventually(sim.nodes_ready, "five simulated nodes Ready")
    cluster.apply(PODS.partition("---")[0])
    before = cluster.wait_ready("app=sim", 20)
    sim.end(signal.SIGKILL)
    cluster.kubectl("scale", "rs", "sim", "--replicas=5")
    leases = "leases/sampan-sim-e2e"
    # What its duration would bring about in half a minute: the dead one's lease is nobody's.
    cluster.kubectl("delete", leases, "-n", "kube-system")
    sim.start()
    eventually(lambda: len(cluster.items("pods", "-l", "app=sim")) == 5, "five pods left")
    kept = {pod["metadata"]["uid"]: pod["status"]["startTime"] for pod in cluster.wait_ready("app=sim", 5)}
    assert kept.items() <= {pod["metadata"]["uid"]: pod["status"]["startTime"] for pod in before}.items()
    assert sim.end(signal.SIGTERM) == 0
    assert cluster.items("nodes", "-l", "sampan.dev/simulated-by=e2e") == []
    assert "5 nodes, 5 pods in the end" in sim.log.read_text()
