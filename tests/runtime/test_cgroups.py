from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sampan_runtime import cgroups
from sampan_runtime.cgroups import Delegate, Hierarchies, InheritCpuset, MakeDirectory, Write, devices
from sampan_runtime.spec import Cgroup

MOUNTINFO_HYBRID = """\
30 29 0:25 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 29 0:26 / /sys/fs/cgroup/memory rw,relatime shared:3 - cgroup cgroup rw,memory
32 29 0:27 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
33 29 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
LIMITS = Cgroup("/a/b", cpu_shares=512, cpu_quota=50_000, memory_limit=1 << 20, pids_limit=10, cpuset_cpus="0")


def test_hierarchies_are_found_where_they_are_mounted(tmp_path):
    (tmp_path / "mountinfo").write_text(MOUNTINFO_HYBRID)
    found = cgroups.detect(str(tmp_path / "mountinfo"))
    together = "/sys/fs/cgroup/cpu,cpuacct"
    assert found.v1 == {"cpu": together, "cpuacct": together, "memory": "/sys/fs/cgroup/memory"}
    assert found.roots == (together, "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified")


def test_a_plan_for_v1():
    hierarchies = Hierarchies({"cpuset": "/set", "memory": "/mem", "cpu": "/cpu", "pids": "/pids"}, "")
    plan = cgroups.create_plan(hierarchies, LIMITS)
    assert plan[:4] == [
        *(MakeDirectory("/set/a"), InheritCpuset("/set/a")),
        *(MakeDirectory("/set/a/b"), InheritCpuset("/set/a/b")),
    ]
    assert [step.describe() for step in plan if isinstance(step, Write)] == [
        "write 1048576 to /mem/a/b/memory.memsw.limit_in_bytes",
        "write 1048576 to /mem/a/b/memory.limit_in_bytes",
        "write 1048576 to /mem/a/b/memory.memsw.limit_in_bytes",
        "write 512 to /cpu/a/b/cpu.shares",
        "write 100000 to /cpu/a/b/cpu.cfs_period_us",
        "write 50000 to /cpu/a/b/cpu.cfs_quota_us",
        "write 10 to /pids/a/b/pids.max",
        "write 0 to /set/a/b/cpuset.cpus",
    ]


def test_a_plan_for_v2():
    plan = cgroups.create_plan(Hierarchies({}, "/cg"), LIMITS)
    assert plan[:4] == [Delegate("/cg"), MakeDirectory("/cg/a"), Delegate("/cg/a"), MakeDirectory("/cg/a/b")]
    assert {step.path.rpartition("/")[2]: step.value for step in plan if isinstance(step, Write)} == {
        "memory.max": "1048576",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cpu.weight": "20",
        "cpu.max": "50000 100000",
        "pids.max": "10",
        "cpuset.cpus": "0",
    }


def test_v2_controllers_are_enabled_on_the_way_down(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu io memory hugetlb pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory\n")
    Delegate(str(tmp_path)).execute()
    # The kernel would merge; a plain file shows what was written over it.
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +io +pids"


def test_shares_become_weight_as_the_kubelet_maps_them():
    assert [cgroups.weight(shares) for shares in (2, 1024, 262_144)] == [1, 39, 10_000]


def test_out_of_memory_counters_of_both_versions(tmp_path):
    for version, name in (("v1", "memory.oom_control"), ("v2", "memory.events")):
        directory = tmp_path / version / "pod"
        directory.mkdir(parents=True)
        (directory / name).write_text("oom_kill_disable 0\nunder_oom 0\noom 3\noom_kill 2\n")
    assert cgroups.oom_kills(Hierarchies({"memory": str(tmp_path / "v1")}, ""), "/pod") == 2
    assert cgroups.oom_kills(Hierarchies({}, str(tmp_path / "v2")), "/pod") == 2
    assert cgroups.oom_kills(Hierarchies({}, str(tmp_path / "v2")), "/gone") == 0


@pytest.mark.root
def test_a_real_cgroup_limits_kills_and_goes():
    hierarchies = cgroups.detect()
    name = f"/sampan-test-cg-{os.getpid()}"
    path = f"{name}/pod/c"
    try:
        cgroups.create(hierarchies, Cgroup(path, memory_limit=32 << 20, pids_limit=10, cpu_shares=100))
        cgroups.create(hierarchies, Cgroup(path, pids_limit=11))
        process = subprocess.Popen(["sleep", "100"])
        root = hierarchies.v1.get("pids", hierarchies.unified)
        (Path(cgroups.directory(root, path)) / "cgroup.procs").write_text(str(process.pid))
        assert cgroups.members(hierarchies, name) == {process.pid}
        cgroups.kill(hierarchies, name)
        assert process.wait(60) == -9
        assert not cgroups.members(hierarchies, name)
    finally:
        assert cgroups.remove(hierarchies, name)
    assert cgroups.remove(hierarchies, name), "removing what is gone is no error"


DEVICE_PROBE = """
import os, sys
results = []
for name, mode, numbers in (("null", 0o020666, (1, 3)), ("zero", 0o020666, (1, 5)), ("disk", 0o060666, None),
                            ("kmsg", 0o020666, (1, 11))):
    path = os.path.join(sys.argv[1], name)
    device = os.makedev(*numbers) if numbers else int(sys.argv[2])
    os.mknod(path, mode, device)
    try:
        os.close(os.open(path, os.O_RDONLY))
        results.append("yes")
    except PermissionError:
        results.append("no")
print(*results)
"""


@pytest.mark.root
@pytest.mark.parametrize("version", [1, 2])
def test_devices_may_be_made_but_only_dockers_list_be_opened(tmp_path, version):
    found = cgroups.detect()
    if version == 1 and "devices" not in found.v1:
        return
    hierarchies = found if version == 1 else Hierarchies({}, found.unified)
    path = f"/sampan-test-dev{version}-{os.getpid()}"
    disk = next(d for d in Path("/sys/block").iterdir() if int((d / "size").read_text()) > 0)
    number = os.makedev(*map(int, (disk / "dev").read_text().split(":")))
    try:
        for root in hierarchies.roots:
            os.mkdir(cgroups.directory(root, path))
            if root == hierarchies.v1.get("cpuset"):
                InheritCpuset(cgroups.directory(root, path)).execute()
        devices.restrict(hierarchies, path, devices.load())
        root = hierarchies.v1.get("devices", hierarchies.unified)
        process = subprocess.Popen(
            ["sh", "-c", 'read x; exec "$@"', "sh", sys.executable, "-c", DEVICE_PROBE, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        (Path(cgroups.directory(root, path)) / "cgroup.procs").write_text(str(process.pid))
        output, _ = process.communicate(b"go\n", 60)
        assert output.decode().split() == ["yes", "yes", "no", "no"]
    finally:
        assert cgroups.remove(hierarchies, path)
