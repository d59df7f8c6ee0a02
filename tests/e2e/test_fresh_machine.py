"""`sampan up` from nothing, again, and `sampan down`. Runs before the session's own cluster is made."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import SAMPAN, Cluster, eventually, run

pytestmark = pytest.mark.e2e
FIRST, SECOND = f"new{os.getpid()}", f"two{os.getpid()}"


def snapshot() -> dict[str, set[str]]:
    """All that a cluster could leave behind on a machine, by kind."""
    return {
        "processes": set(_processes()),
        "network namespaces": {str(p) for p in Path("/run/netns").glob("*")},
        "links": {line.split(":")[1].split("@")[0].strip() for line in run("ip", "-o", "link").stdout.splitlines()},
        "addresses": set(re.findall(r"inet6? (\S+)", run("ip", "address").stdout)),
        "routes": {line.strip() for line in run("ip", "route").stdout.splitlines()},
        # Without what other tables count of the machine's traffic.
        "firewall": set(run("nft", "-s", "list", "ruleset").stdout.splitlines()),
        "mounts": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        # Those that others make for their own processes come and go.
        "cgroups": {str(p) for p in Path("/sys/fs/cgroup").glob("**/sampan/**/") if not p.is_symlink()},
        "sysctls": {
            f"{name}={(Path('/proc/sys') / name).read_text().strip()}"
            for name in ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "net/ipv4/conf/default/forwarding")
        },
        "files": {str(p) for root in ("/var/lib/sampan", "/run/sampan") for p in Path(root).rglob("*")},
    }


def _processes() -> Iterator[str]:
    """Those that name one of the clusters, or are in one's cgroups."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            told = command + (entry / "cgroup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if FIRST in told or SECOND in told:
            yield f"{entry.name} {command}"


@pytest.fixture(scope="module")
def before() -> dict[str, set[str]]:
    return snapshot()


@pytest.fixture(scope="module")
def fresh(before: dict[str, set[str]]) -> Iterator[Cluster]:
    made = Cluster(FIRST, ["--port", "17443"])
    yield made
    made.down()


def test_up_from_nothing_ends_with_hello_ready(fresh: Cluster) -> None:
    out = fresh.up().stdout
    nodes = fresh.kubectl("get", "nodes", "--no-headers").stdout
    assert re.findall(r"^(node\d) +Ready ", nodes, re.M) == ["node1", "node2", "node3"]
    replicas = fresh.get("rs", "hello")
    assert replicas["status"]["readyReplicas"] == replicas["spec"]["replicas"]
    for pod in fresh.items("pods", "-l", "app=hello"):
        assert pod["metadata"]["name"] in out, "up prints what runs where"


def test_up_again_changes_nothing(fresh: Cluster) -> None:
    pods = {pod["metadata"]["uid"] for pod in fresh.items("pods")}
    processes = fresh.processes()
    assert len(set(_processes())) >= len(processes)
    fresh.up()
    assert {pod["metadata"]["uid"] for pod in fresh.items("pods")} == pods
    assert fresh.processes() == processes


def test_keys_in_etcd_are_json_that_etcdctl_shows(fresh: Cluster) -> None:
    endpoint = re.search(r"http://127\.0\.0\.1:\d+", run(SAMPAN, "status", "--cluster", fresh.name).stdout)
    assert endpoint, "sampan status names the endpoint of etcd"
    keys = run(
        "etcdctl", f"--endpoints={endpoint[0]}", "get", "--prefix", "/registry/pods/default/", "--keys-only",
        env={**os.environ, "ETCDCTL_API": "3"},
    ).stdout  # fmt: skip
    assert re.search(r"^/registry/pods/default/hello-\w{5}$", keys, re.M)


def test_a_second_cluster_lives_beside_the_first(fresh: Cluster) -> None:
    second = Cluster(SECOND, ["--port", "18443", "--nodes", "1", "--no-apply"])
    try:
        second.up()
        assert "node1" in second.kubectl("get", "nodes").stdout
        assert not second.items("pods")
        assert len(fresh.items("nodes")) == 3
    finally:
        second.down()
    assert len(fresh.items("nodes")) == 3


def test_down_leaves_the_machine_as_it_was(fresh: Cluster, before: dict[str, set[str]]) -> None:
    fresh.down()

    def nothing_left() -> bool:
        now = snapshot()
        left = {kind: now[kind] ^ before[kind] for kind in before if now[kind] != before[kind]}
        assert left == {}
        return True

    eventually(nothing_left, "the machine is as it was")


def test_down_again_is_quiet_and_succeeds(fresh: Cluster) -> None:
    assert fresh.down().returncode == 0
