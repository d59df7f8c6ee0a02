from __future__ import annotations

import os
from pathlib import Path

import pytest
from sampan_agent.cgroups import Cgroups, Limits, pod_cgroup

LIMITS = Limits(cpu_shares=512, cpu_quota=50_000, memory=1 << 20, pids=100)


def test_v1_writes_each_limit_into_its_hierarchy(tmp_path):
    for controller in ("cpu", "memory", "pids", "freezer"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()
    cgroups = Cgroups(tmp_path)
    cgroups.make("/s/kubepods/podx", LIMITS)
    made = {c: tmp_path / c / "s/kubepods/podx" for c in ("cpu", "memory", "pids")}
    assert (made["cpu"] / "cpu.shares").read_text() == "512"
    assert (made["cpu"] / "cpu.cfs_quota_us").read_text() == "50000"
    assert (made["memory"] / "memory.limit_in_bytes").read_text() == "1048576"
    assert (made["pids"] / "pids.max").read_text() == "100"
    assert cgroups.missing() == []


def test_v2_passes_controllers_down_and_translates(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    cgroups = Cgroups(tmp_path)
    cgroups.make("s/kubepods/podx", LIMITS)
    assert (tmp_path / "s/kubepods/cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    made = tmp_path / "s/kubepods/podx"
    assert (made / "cpu.max").read_text() == "50000 100000"
    assert (made / "cpu.weight").read_text() == "20"
    assert (made / "memory.max").read_text() == "1048576"


def test_missing_controllers_are_named(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu")
    assert Cgroups(tmp_path).missing() == ["memory", "pids"]


def test_path_carries_class_and_uid():
    assert pod_cgroup("/s/n1", "Guaranteed", "u") == "/s/n1/kubepods/podu"
    assert pod_cgroup("/s/n1/", "BestEffort", "u") == "/s/n1/kubepods/besteffort/podu"


def directories(path: str) -> list[Path]:
    """Of a cgroup, in one hierarchy or in several."""
    top = Path("/sys/fs/cgroup")
    return [*top.glob(path), *top.glob(f"*/{path}")]


@pytest.mark.root
def test_this_machines_kernel_takes_the_limits_and_the_cgroup_goes_again():
    cgroups, root = Cgroups(), f"sampan-test-{os.getpid()}"
    path = f"{root}/kubepods/podx"
    try:
        cgroups.make(path, LIMITS)
        assert directories(path)
    finally:
        assert cgroups.remove(root)
    assert not directories(root)
