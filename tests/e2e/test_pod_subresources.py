"""kubectl debug, resize and drain against real nodes: processes, kernel limits and disruption budgets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab import Cluster, container_processes, eventually, is_ready, wait_ready

pytestmark = pytest.mark.e2e
MIB = 1 << 20


def manifest(name: str, container: dict[str, Any], **spec: Any) -> str:
    containers = [{"name": "c", "image": "busybox:1.35", "command": ["sleep", "3600"], **container}]
    metadata = {"name": name, "labels": {"app": name}}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    return json.dumps({**body, "spec": {"terminationGracePeriodSeconds": 1, "containers": containers, **spec}})


def ephemeral(cluster: Cluster, name: str) -> dict[str, Any]:
    statuses = cluster.get("pod", name)["status"].get("ephemeralContainerStatuses") or [{}]
    return dict(statuses[-1])


def test_debug_sees_the_processes_of_its_target(clean: Cluster) -> None:
    clean.apply(manifest("web", {"command": ["sleep", "86399"]}))
    wait_ready(clean, "web")
    look = "tr '\\0' ' ' < /proc/1/cmdline; echo; ps"
    clean.kubectl(
        *("debug", "web", "--image=busybox:1.35", "-c", "dbg", "--target=c", "--profile=general"),
        *("--", "sh", "-c", look),
    )
    eventually(lambda: "terminated" in (ephemeral(clean, "web").get("state") or {}), "the debugger has ended")
    said = clean.kubectl("logs", "web", "-c", "dbg").stdout
    assert said.splitlines()[0] == "sleep 86399 "
    status = ephemeral(clean, "web")
    assert (status["name"], status["state"]["terminated"]["exitCode"], status["restartCount"]) == ("dbg", 0, 0)
    assert is_ready(clean.get("pod", "web"))


def test_debug_without_a_target_has_processes_of_its_own_and_stays_while_it_runs(clean: Cluster) -> None:
    clean.apply(manifest("web", {}))
    wait_ready(clean, "web")
    clean.kubectl("debug", "web", "--image=busybox:1.35", "-c", "own", "--profile=general", "--", "sleep", "86398")
    eventually(lambda: "running" in (ephemeral(clean, "web").get("state") or {}), "the debugger runs")
    assert clean.exec("web", "ps", container="own").stdout.count("sleep") == 1
    links = {c: clean.exec("web", "readlink", "/proc/self/ns/net", container=c).stdout for c in ("c", "own")}
    assert links["c"] == links["own"]


def test_debug_attaches_and_talks(clean: Cluster) -> None:
    clean.apply(manifest("web", {}))
    wait_ready(clean, "web")
    done = clean.kubectl(
        *("debug", "-i", "web", "--image=busybox:1.35", "-c", "talk", "--target=c", "--profile=general"),
        *("--", "sh", "-c", "read line; echo heard $line"),
        stdin="knock\n",
    )
    assert "heard knock" in done.stdout + clean.kubectl("logs", "web", "-c", "talk").stdout


def kernel_limits(pod: dict[str, Any]) -> tuple[int, int]:
    """Memory limit in bytes and cpu quota per 100 ms of the container's process, as its cgroup files have them."""
    [(pid, _)] = container_processes([pod]).values()
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    paths = {controller: path for _, controllers, path in lines for controller in controllers.split(",")}
    root = Path("/sys/fs/cgroup")
    if "memory" in paths:
        memory = (root / "memory" / paths["memory"].strip("/") / "memory.limit_in_bytes").read_text()
        quota = (root / "cpu" / paths["cpu"].strip("/") / "cpu.cfs_quota_us").read_text()
        return int(memory), int(quota)
    unified = root / paths[""].strip("/")
    return int((unified / "memory.max").read_text()), int((unified / "cpu.max").read_text().split()[0])


def test_a_resize_changes_the_kernels_limits_of_the_running_process(clean: Cluster) -> None:
    small = {"cpu": "100m", "memory": "64Mi"}
    clean.apply(manifest("web", {"resources": {"requests": small, "limits": small}}))
    before = wait_ready(clean, "web")
    assert kernel_limits(before) == (64 * MIB, 10_000)
    processes = container_processes([before])
    for amounts, expected in (
        ({"cpu": "300m", "memory": "128Mi"}, (128 * MIB, 30_000)),
        ({"cpu": "200m", "memory": "96Mi"}, (96 * MIB, 20_000)),
    ):
        resized = {"spec": {"containers": [{"name": "c", "resources": {"requests": amounts, "limits": amounts}}]}}
        clean.kubectl("patch", "pod", "web", "--subresource=resize", "-p", json.dumps(resized))
        eventually(lambda wanted=expected: kernel_limits(before) == wanted, f"the kernel has {expected}")

        def reported(wanted: dict[str, str] = amounts) -> bool:
            [status] = clean.get("pod", "web")["status"]["containerStatuses"]
            return bool(status["resources"]["limits"] == wanted and status["allocatedResources"] == wanted)

        eventually(reported, f"the status has {amounts}")
    after = clean.get("pod", "web")
    assert container_processes([after]) == processes
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0
    assert not [c for c in after["status"]["conditions"] if "Resize" in c["type"]]


def test_a_resize_that_no_node_has_room_for_is_pending(clean: Cluster) -> None:
    clean.apply(manifest("web", {"resources": {"requests": {"cpu": "100m"}}}))
    wait_ready(clean, "web")
    much = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "4k"}}}]}}
    clean.kubectl("patch", "pod", "web", "--subresource=resize", "-p", json.dumps(much))

    def reasons() -> list[str]:
        conditions = clean.get("pod", "web")["status"]["conditions"]
        return [c["reason"] for c in conditions if c["type"] == "PodResizePending"]

    eventually(lambda: reasons() == ["Infeasible"], "the resize is pending")
    back = {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}]}}
    clean.kubectl("patch", "pod", "web", "--subresource=resize", "-p", json.dumps(back))
    eventually(lambda: not reasons(), "nothing is pending")


def test_a_drain_waits_for_the_disruption_budget(clean: Cluster) -> None:
    labels = {"app": "budgeted"}
    container = {"name": "c", "image": "busybox:1.35", "command": ["sleep", "3600"]}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}
    rs = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "budgeted"}}
    clean.apply(json.dumps({**rs, "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}}))
    pods = clean.wait_ready("app=budgeted", 2)
    clean.kubectl("create", "pdb", "budgeted", "--selector=app=budgeted", "--min-available=2")
    try:
        eventually(lambda: clean.get("pdb", "budgeted")["status"].get("currentHealthy") == 2, "the budget is counted")
        node = pods[0]["spec"]["nodeName"]
        with clean.start("drain", node, "--ignore-daemonsets", "--pod-selector=app=budgeted") as drain:
            drain.until("Cannot evict pod as it would violate the pod's disruption budget.")
            assert len(clean.ready_pods("app=budgeted")) == 2
            clean.kubectl("patch", "pdb", "budgeted", "--type=merge", "-p", '{"spec":{"minAvailable":1}}')
            drain.until(f"node/{node} drained")
            assert drain.process.wait(60) == 0
        moved = clean.wait_ready("app=budgeted", 2)
        assert node not in {pod["spec"]["nodeName"] for pod in moved}
    finally:
        clean.kubectl("uncordon", pods[0]["spec"]["nodeName"])
        clean.kubectl("delete", "pdb", "budgeted")
