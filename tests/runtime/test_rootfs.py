from __future__ import annotations

from sampan_runtime import rootfs, security, syscalls
from sampan_runtime.rootfs import Bind, BindTree, CgroupView, Fresh, Isolate, Mask, Pivot, ReadOnly, Seal
from sampan_runtime.spec import Cgroup, ContainerSpec, Mount, Security

UNIFIED = CgroupView()


def spec(*mounts: Mount, **changes) -> ContainerSpec:
    guarded = Security(masked_paths=security.MASKED_PATHS, read_only_paths=security.READ_ONLY_PATHS, **changes)
    return ContainerSpec("c", "/c", ("/l",), "/u", "/w", ("true",), (), "/", Cgroup("/c"), guarded, mounts)


def plan(*mounts: Mount, view=UNIFIED, **changes) -> list[rootfs.Step]:
    return rootfs.plan(spec(*mounts, **changes), view, shm=9)


def test_the_plan_can_be_read_before_it_runs():
    text = [step.describe() for step in plan(Mount("/data", "/volume"))]
    assert text[:6] == [
        "separate the mounts from the node's",
        "mount 1 layers as the root",
        "mount proc on /proc",
        "mount tmpfs on /dev",
        "make the devices",
        "mount devpts on /dev/pts",
    ]
    assert text.index("bind /volume on /data") < text.index("mask /proc/kcore")
    assert text[-1] == "pivot into the root"


def test_kernel_file_systems_carry_dockers_flags():
    flags = {step.target: step.flags for step in plan() if isinstance(step, Fresh)}
    nosuid, nodev, noexec = syscalls.MS_NOSUID, syscalls.MS_NODEV, syscalls.MS_NOEXEC
    assert flags["/proc"] == nosuid | nodev | noexec
    assert flags["/dev"] == nosuid | syscalls.MS_STRICTATIME
    assert flags["/sys"] == nosuid | nodev | noexec | syscalls.MS_RDONLY
    assert flags["/sys/fs/cgroup"] & syscalls.MS_RDONLY


def test_a_mount_of_the_spec_replaces_ours():
    steps = plan(Mount("/dev/shm", options="size=1g"), Mount("/sys/fs/cgroup", "/x"))
    assert not any(isinstance(step, BindTree) for step in steps)
    assert [step.describe() for step in steps if "cgroup" in step.describe()] == ["bind /x on /sys/fs/cgroup"]


def test_privileged_hides_nothing_and_may_write():
    steps = plan(view=CgroupView({"memory": "/sys/fs/cgroup/memory/c"}), privileged=True)
    assert not any(isinstance(step, Mask | ReadOnly | Seal) for step in steps)
    (cgroup,) = (step for step in steps if isinstance(step, Bind))
    assert not cgroup.attributes & rootfs.RDONLY
    assert any(isinstance(step, rootfs.HostDevices) for step in steps)


def test_a_read_only_root_is_sealed_last():
    steps = plan(read_only_rootfs=True)
    assert steps[-2:] == [Seal("/"), Pivot()]


def test_the_strongest_propagation_asked_for_decides_the_roots():
    assert plan()[0] == Isolate(syscalls.MS_PRIVATE)
    assert plan(Mount("/a", "/a", propagation="rslave"))[0] == Isolate(syscalls.MS_SLAVE)
    both = (Mount("/a", "/a", propagation="rslave"), Mount("/b", "/b", propagation="rshared"))
    assert plan(*both)[0] == Isolate(syscalls.MS_SHARED)


def test_overlay_options_escape_what_separates_them():
    options = rootfs.overlay_options(["/a:b", "/c,d"], "/u,v", "/w")
    assert options == "lowerdir=/a\\:b:/c\\,d,upperdir=/u\\,v,workdir=/w"
