"""What a pod is, seen from inside and from the kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab import Cluster, container_processes, eventually, run, wait_ready

pytestmark = pytest.mark.e2e


def pod(name: str, *containers: dict[str, Any], **spec: Any) -> str:
    """A pod manifest (JSON is YAML); containers get the built-in image."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"image": "busybox:1.35", **c} for c in containers],
            **spec,
        },
    }
    return json.dumps(body)


def sleeper(name: str = "c", **fields: Any) -> dict[str, Any]:
    return {"name": name, "command": ["sleep", "3600"], **fields}


def test_containers_of_a_pod_share_loopback(clean: Cluster) -> None:
    serve = "mkdir /www && echo hello from a > /www/index.html && exec httpd -f -p 127.0.0.1:8080 -h /www"
    clean.apply(pod("shared", {"name": "a", "command": ["sh", "-c", serve]}, sleeper("b")))
    wait_ready(clean, "shared")
    got = eventually(
        lambda: clean.exec("shared", "wget", "-qO-", "http://127.0.0.1:8080/", container="b").stdout,
        "b reaches a",
    )
    assert got == "hello from a\n"


def test_containers_of_a_pod_share_system_v_memory_which_is_not_the_hosts(clean: Cluster) -> None:
    clean.apply(pod("ipc", sleeper("a"), sleeper("b")))
    wait_ready(clean, "ipc")
    links = {c: clean.exec("ipc", "readlink", "/proc/self/ns/ipc", container=c).stdout for c in "ab"}
    assert links["a"] == links["b"]
    assert links["a"].strip() != run("readlink", "/proc/self/ns/ipc").stdout.strip()
    made = run("ipcmk", "-M", "4096").stdout.split()[-1]
    try:
        assert made in run("ipcs", "-m").stdout
        for container in "ab":
            table = clean.exec("ipc", "cat", "/proc/sysvipc/shm", container=container).stdout
            assert len(table.splitlines()) == 1, f"the host's segment shows in {container}"
    finally:
        run("ipcrm", "-m", made)
    clean.exec("ipc", "sh", "-c", "echo shared > /dev/shm/note", container="a")
    assert clean.exec("ipc", "cat", "/dev/shm/note", container="b").stdout == "shared\n"


def test_a_segment_made_by_one_container_is_seen_by_the_other(clean: Cluster) -> None:
    """busybox cannot create System V segments, so the test enters container a's ipc namespace to make one."""
    clean.apply(pod("shm", sleeper("a"), sleeper("b")))
    wait_ready(clean, "shm")
    pid = _host_pid(clean, "shm", "a")
    key = run("nsenter", "-t", str(pid), "-i", "ipcmk", "-M", "8192").stdout.split()[-1]
    try:
        for container in "ab":
            table = clean.exec("shm", "cat", "/proc/sysvipc/shm", container=container).stdout.splitlines()
            assert any(line.split()[1:4:2] == [key, "8192"] or line.split()[3] == "8192" for line in table[1:]), table
        assert " 8192 " not in run("cat", "/proc/sysvipc/shm").stdout
    finally:
        run("nsenter", "-t", str(pid), "-i", "ipcrm", "-m", key)


def _host_pid(cluster: Cluster, name: str, container: str) -> int:
    found = cluster.get("pod", name)
    status = next(s for s in found["status"]["containerStatuses"] if s["name"] == container)
    processes = container_processes([found])
    return processes[found["metadata"]["uid"], status["containerID"].rpartition("/")[2]][0]


def test_each_container_has_its_own_mount_and_pid_namespace(clean: Cluster) -> None:
    clean.apply(pod("apart", sleeper("a"), sleeper("b")))
    wait_ready(clean, "apart")
    for kind in ("mnt", "pid"):
        seen = {clean.exec("apart", "readlink", f"/proc/self/ns/{kind}", container=c).stdout.strip() for c in "ab"}
        assert len(seen) == 2, f"a and b share their {kind} namespace"
        assert run("readlink", f"/proc/self/ns/{kind}").stdout.strip() not in seen
    net = {clean.exec("apart", "readlink", "/proc/self/ns/net", container=c).stdout for c in "ab"}
    assert len(net) == 1


def test_pid_namespace_is_shared_on_request(clean: Cluster) -> None:
    clean.apply(pod("onepid", sleeper("a"), sleeper("b"), shareProcessNamespace=True))
    wait_ready(clean, "onepid")
    seen = clean.exec("onepid", "ps", container="a").stdout
    assert seen.count("sleep 3600") == 2


def test_a_restarted_container_finds_the_pods_address_unchanged(clean: Cluster) -> None:
    clean.apply(pod("again", sleeper("keeper"), {"name": "mortal", "command": ["sh", "-c", "sleep 3600 & wait"]}))
    before = wait_ready(clean, "again")["status"]["podIP"]
    # With its container dies, sometimes, the shell that killed it.
    clean.exec("again", "sh", "-c", "kill -9 2", container="mortal", check=False)

    def restarted() -> dict[str, Any] | None:
        status = clean.get("pod", "again")["status"]
        mortal = next(s for s in status["containerStatuses"] if s["name"] == "mortal")
        return status if mortal["restartCount"] == 1 and mortal["ready"] else None

    status = eventually(restarted, "the container runs again")
    assert status["podIP"] == before
    keeper = next(s for s in status["containerStatuses"] if s["name"] == "keeper")
    assert keeper["restartCount"] == 0
    assert before in clean.exec("again", "ip", "addr", container="mortal").stdout


def test_a_pod_on_node_1_reaches_a_pod_on_node_3(clean: Cluster) -> None:
    serve = "echo from node3 > /tmp/index.html && exec httpd -f -p 8080 -h /tmp"
    clean.apply(pod("far", {"name": "c", "command": ["sh", "-c", serve]}, nodeName="node3"))
    clean.apply(pod("near", sleeper(), nodeSelector={"kubernetes.io/hostname": "node1"}))
    address = wait_ready(clean, "far")["status"]["podIP"]
    wait_ready(clean, "near")
    got = eventually(lambda: clean.exec("near", "wget", "-qO-", f"http://{address}:8080/").stdout, "an answer")
    assert got == "from node3\n"


def test_a_memory_hog_is_oomkilled_and_says_so(clean: Cluster) -> None:
    hog = {"name": "hog", "command": ["tail", "/dev/zero"], "resources": {"limits": {"memory": "32Mi"}}}
    clean.apply(pod("hog", hog, restartPolicy="Never"))

    def terminated() -> dict[str, Any] | None:
        statuses = clean.get("pod", "hog")["status"].get("containerStatuses", [])
        return statuses[0]["state"].get("terminated") if statuses else None

    state = eventually(terminated, "the hog is gone")
    assert (state["reason"], state["exitCode"]) == ("OOMKilled", 137)
    assert clean.get("pod", "hog")["status"]["phase"] == "Failed"
    assert "OOMKilled" in clean.kubectl("get", "pod", "hog").stdout


def test_a_fork_bomb_is_held_by_the_pids_limit(clean: Cluster) -> None:
    bomb = "i=0; while [ $i -lt 3000 ]; do sleep 30 & i=$((i+1)); done; wait"
    clean.apply(pod("bomb", sleeper("c")))
    wait_ready(clean, "bomb")
    done = clean.exec("bomb", "sh", "-c", bomb, check=False)
    assert "can't fork" in done.stderr
    eventually(lambda: clean.exec("bomb", "true", check=False).returncode == 0, "room again")
    assert clean.get("pod", "bomb")["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("mount -t tmpfs none /mnt", "mount: "),
        ("mount -o remount,rw /sys", "mount: "),
        ("echo 1 > /proc/sys/kernel/panic", "Read-only file system"),
        ("echo 1 > /proc/sys/vm/drop_caches", "Read-only file system"),
        ("echo 0 > /sys/fs/cgroup/x", "Read-only file system"),
        ("unshare -m true", "unshare"),
        ("hostname hacked", "hostname"),
        ("date -s 2020-01-01 2>&1 | grep -v 2020 >&2; false", "can't set date: Operation not permitted"),
    ],
)
def test_a_container_is_refused(prisoner: Cluster, command: str, complaint: str) -> None:
    done = prisoner.exec("prisoner", "sh", "-c", command, check=False)
    assert done.returncode != 0, f"`{command}` succeeded: {done.stdout}"
    assert complaint in done.stderr


def test_a_disk_of_the_host_cannot_be_read(prisoner: Cluster) -> None:
    """Making the node is one of Docker's capabilities; opening it is for the device cgroup to refuse."""
    disks = [d for d in Path("/sys/block").iterdir() if int((d / "size").read_text()) > 0]
    major, minor = (disks[0] / "dev").read_text().strip().split(":")
    command = f"mknod /tmp/disk b {major} {minor} && head -c 1 /tmp/disk"
    done = prisoner.exec("prisoner", "sh", "-c", command, check=False)
    assert done.returncode != 0
    assert "/tmp/disk: Operation not permitted" in done.stderr


def test_loading_a_module_is_refused(prisoner: Cluster) -> None:
    command = "echo x > /tmp/m.ko; insmod /tmp/m.ko"
    done = prisoner.exec("prisoner", "sh", "-c", command, check=False)
    assert done.returncode != 0
    assert "Operation not permitted" in done.stderr


def test_no_process_of_the_host_can_be_seen(prisoner: Cluster) -> None:
    pids = prisoner.exec("prisoner", "sh", "-c", "cd /proc; ls -d [0-9]*").stdout.split()
    assert len(pids) <= 4
    environ = prisoner.exec("prisoner", "cat", "/proc/1/environ").stdout
    assert "KUBERNETES_TEST_MARK" in environ, "pid 1 is the container's own"


@pytest.fixture(scope="module")
def prisoner(cluster: Cluster) -> Any:
    cluster.kubectl("delete", "pod", "prisoner", "--ignore-not-found", "--grace-period=1")
    cluster.apply(pod("prisoner", sleeper(env=[{"name": "KUBERNETES_TEST_MARK", "value": "1"}])))
    wait_ready(cluster, "prisoner")
    yield cluster
    cluster.kubectl("delete", "pod", "prisoner", "--grace-period=1")
