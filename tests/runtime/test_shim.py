"""Pods and containers through the client, on a real kernel."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sampan_runtime import cgroups, syscalls
from sampan_runtime.errors import NoSuchContainer, ShimGone, StepFailed, WrongState
from sampan_runtime.shim import client
from sampan_runtime.spec import Cgroup, ExecSpec, Mount
from shim_node import DEFAULT_SECURITY, ENV, Node, has_begun, until

pytestmark = pytest.mark.root

FORBIDDEN = {"asyncio", "logging", "ssl", "grpc", "google.protobuf", "pydantic", "pyroute2"}


async def test_a_container_runs_and_its_exit_code_is_told(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sh", "-c", "exit 7")
    exit = await node.exit_of("c")
    assert (exit.exit_code, exit.signal, exit.oom_killed) == (7, 0, False)
    (state,) = await shim.list()
    assert (state.state, state.pid, state.exit) == ("exited", 0, exit)


async def test_a_created_container_waits_for_its_start(node: Node):
    shim = await node.pod()
    await shim.create_container(node.container(shim, "c", "sleep", "100"))
    (state,) = await shim.list()
    assert (state.state, state.started_at) == ("created", 0)
    pid = await shim.start_container("c")
    await until(lambda: has_begun(pid))
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00100\x00"
    with pytest.raises(WrongState):
        await shim.start_container("c")


async def test_logs_are_cri_lines_by_stream(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sh", "-c", "echo out; echo err >&2; printf rest")
    await node.exit_of("c")
    lines = sorted(line.split(" ", 1)[1] for line in node.log("c"))
    assert lines == ["stderr F err\n", "stdout F out\n", "stdout F rest\n"]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ", node.log("c")[0])


async def test_a_rotated_log_is_left_for_a_new_file(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sh", "-c", "echo one; read x; echo two", stdin=True)
    path = node.base / "c.log"
    await until(lambda: "one" in path.read_text())
    path.rename(node.base / "c.log.1")
    await shim.reopen_log("c")
    streams = await shim.attach_io("c")
    os.write(streams.stdin, b"go\n")
    await node.exit_of("c")
    assert path.read_text().endswith("stdout F two\n")
    for fd in (streams.stdin, streams.stdout, streams.stderr):
        os.close(fd)


async def test_exec_gets_the_containers_view_and_its_own_exit_code(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    result = await shim.exec_sync("c", ExecSpec(("sh", "-c", "ps; echo err >&2; exit 3"), ENV, "/tmp"), 60)
    assert (result.exit_code, result.stderr) == (3, b"err\n")
    assert re.search(rb"^ +1 0 +sleep 100$", result.stdout, re.MULTILINE)
    membership = await node.sh(shim, "c", "cat /proc/self/cgroup")
    assert f"memory:{node.cgroup}" not in membership, "the cgroup namespace shows the container's own root"


async def test_exec_enters_the_containers_cgroup(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    process = await shim.exec("c", ExecSpec(("sleep", "50"), ENV, "/"))
    assert process.pid in cgroups.members(cgroups.detect(), f"{node.cgroup}/pod/c")
    await process.kill(signal.SIGTERM)
    assert await process.wait() == 128 + signal.SIGTERM


async def test_exec_of_what_is_not_there_names_the_step(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    with pytest.raises(StepFailed) as caught:
        await shim.exec_sync("c", ExecSpec(("nope",), ENV, "/"), 60)
    assert (caught.value.errno, caught.value.step) == (errno.ENOENT, 'exec "nope"')
    with pytest.raises(NoSuchContainer):
        await shim.exec_sync("other", ExecSpec(("true",), ENV, "/"), 60)


async def test_exec_sync_kills_at_its_timeout(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    with pytest.raises(TimeoutError):
        await shim.exec_sync("c", ExecSpec(("sleep", "77"), ENV, "/"), 0.2)
    path = f"{node.cgroup}/pod/c"
    await until(lambda: len(cgroups.members(cgroups.detect(), path)) == 1)


async def test_start_of_what_is_not_there_fails_without_an_exit_event(node: Node):
    shim = await node.pod()
    await shim.create_container(node.container(shim, "c", "/bin/nope"))
    with pytest.raises(StepFailed) as caught:
        await shim.start_container("c")
    assert (caught.value.errno, caught.value.step) == (errno.ENOENT, 'exec "/bin/nope"')
    await shim.remove_container("c")
    assert "c" not in node.exits


async def test_what_cannot_be_mounted_fails_the_create_and_leaves_nothing(node: Node):
    shim = await node.pod()
    spec = node.container(shim, "c", "true", mounts=(Mount("/data", "/nonexistent-source"),))
    with pytest.raises(StepFailed, match="bind /nonexistent-source on /data: No such file"):
        await shim.create_container(spec)
    await until(lambda: not Path(f"/sys/fs/cgroup/memory{node.cgroup}/pod/c").exists())
    assert await shim.list() == []


async def test_a_killed_container_tells_the_signal(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    await shim.kill("c", signal.SIGKILL)
    exit = await node.exit_of("c")
    assert (exit.exit_code, exit.signal) == (137, 9)
    await shim.kill("c", signal.SIGKILL)


async def test_a_container_over_its_memory_limit_is_oom_killed(node: Node):
    shim = await node.pod()
    limits = Cgroup(f"{node.cgroup}/pod/c", memory_limit=8 << 20)
    grow = "x=0123456789abcdef; while true; do x=$x$x; done"
    await node.start(shim, "c", "sh", "-c", grow, cgroup=limits)
    exit = await node.exit_of("c")
    assert (exit.signal, exit.oom_killed) == (9, True)


async def test_a_container_has_no_more_than_the_defaults(node: Node):
    shim = await node.pod()
    text = await node.output(shim, "c", "sh", "-c", "cat /proc/self/status; ls /proc/self/fd; ls /proc/1/fd; umask")
    assert "CapEff:\t00000000a80425fb\n" in text
    assert "CapBnd:\t00000000a80425fb\n" in text
    assert "CapInh:\t0000000000000000\n" in text
    assert "Seccomp:\t2\n" in text
    assert text.endswith(("\n0\n1\n2\n3\n0\n1\n2\n0022\n", "\n0\n1\n2\n0022\n"))


async def test_masked_and_read_only_paths(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    assert await node.sh(shim, "c", "cat /proc/keys /proc/timer_list; ls /proc/acpi /sys/firmware") == (
        "/proc/acpi:\n\n/sys/firmware:\n"
    )
    assert "Read-only file system" in await node.sh(shim, "c", "echo 1 > /proc/sys/kernel/panic")
    assert "Read-only file system" in await node.sh(shim, "c", "echo 1 > /sys/fs/cgroup/memory/tasks")
    assert "can't create" in await node.sh(shim, "c", "echo b > /proc/sysrq-trigger")


async def test_devices_are_those_of_docker_with_their_modes(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    listing = await node.sh(shim, "c", "ls -l /dev | cat")
    modes = {line.split()[-1]: line.split()[0] for line in listing.splitlines() if line.startswith("c")}
    assert modes == dict.fromkeys(("full", "null", "random", "tty", "urandom", "zero"), "crw-rw-rw-")


@pytest.mark.parametrize("path", ["proc", "sys", "dev"])
async def test_an_image_whose_kernel_mount_points_are_symlinks_is_refused(node: Node, path: str):
    """CVE-2023-27561: a /proc that leads elsewhere would leave the real one unmasked."""
    (node.image / path).symlink_to("tmp")
    shim = await node.pod()
    with pytest.raises(StepFailed) as caught:
        await shim.create_container(node.container(shim, "c", "true"))
    assert caught.value.errno == errno.ELOOP


async def test_mount_targets_stay_inside_the_root(node: Node):
    """CVE-2021-30465: symlinks of the image are resolved as the container would see them."""
    outside = node.base / "outside"
    outside.mkdir()
    (node.image / "escape").symlink_to(f"{'../' * 20}{outside}")
    source = node.base / "volume"
    source.mkdir()
    (source / "file").write_text("content")
    shim = await node.pod()
    text = await node.output(shim, "c", "cat", f"{outside}/deep/file", mounts=(Mount("/escape/deep", str(source)),))
    assert text == "content\n"
    assert list(outside.iterdir()) == []


async def test_read_only_mounts_and_files(node: Node):
    volume = node.base / "volume"
    volume.mkdir()
    (node.base / "hosts").write_text("127.0.0.1 me\n")
    mounts = (
        Mount("/ro", str(volume), read_only=True),
        Mount("/rw", str(volume)),
        Mount("/etc/hosts", str(node.base / "hosts")),
        Mount("/mem", options="size=1m"),
    )
    shim = await node.pod()
    script = "echo x > /rw/x; cat /ro/x /etc/hosts; echo y > /ro/y; echo z > /mem/z && cat /mem/z"
    text = await node.output(shim, "c", "sh", "-c", script, mounts=mounts)
    assert "x\n127.0.0.1 me\n" in text
    assert "/ro/y: Read-only file system" in text
    assert "z\n" in text


async def test_a_read_only_root(node: Node):
    shim = await node.pod()
    security = replace(DEFAULT_SECURITY, read_only_rootfs=True)
    text = await node.output(shim, "c", "sh", "-c", "echo x > /tmp/x; echo ok > /dev/null", security=security)
    assert text.splitlines() == ["sh: can't create /tmp/x: Read-only file system"]


async def test_a_user_has_its_groups_and_no_capabilities(node: Node):
    shim = await node.pod()
    security = replace(
        DEFAULT_SECURITY, uid=1000, gid=1001, supplemental_gids=(7, 8), no_new_privileges=True, umask=0o027
    )
    script = "id; umask; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status"
    (node.image / "bin/grep").symlink_to("busybox")
    text = await node.output(shim, "c", "sh", "-c", script, security=security)
    assert "uid=1000 gid=1001 groups=1001,7,8\n0027\n" in text or "groups=7,8" in text
    assert "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n" in text


async def test_a_missing_working_directory_is_made(node: Node):
    shim = await node.pod()
    assert await node.output(shim, "c", "pwd", cwd="/srv/deep/er") == "/srv/deep/er\n"


async def test_a_working_directory_outside_is_refused(node: Node):
    """CVE-2024-21626: a descriptor of the node's as working directory."""
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    for number in range(3, 40):
        with pytest.raises(StepFailed):
            await shim.exec_sync("c", ExecSpec(("true",), ENV, f"/proc/self/fd/{number}"), 5)


async def test_no_module_of_the_image_is_imported(node: Node):
    """The image holds a standard library that would tell of itself; failing paths are where imports hide."""
    for prefix in {sys.prefix, sys.base_prefix, os.path.dirname(os.__file__)}:
        library = node.image / prefix.lstrip("/") / "lib" / f"python3.{sys.version_info.minor}"
        for directory in (library, node.image / os.path.dirname(os.__file__).lstrip("/")):
            directory.mkdir(parents=True, exist_ok=True)
            for name in ("traceback", "os", "encodings", "warnings", "io", "linecache", "struct", "errno", "re"):
                (directory / f"{name}.py").write_text("open('/poisoned', 'w').close()\n")
    shim = await node.pod()
    await shim.create_container(node.container(shim, "bad", "/bin/\udcff\u00e9"))
    with pytest.raises(StepFailed):
        await shim.start_container("bad")
    await node.start(shim, "good", "sleep", "100")
    with pytest.raises(StepFailed):
        await shim.exec_sync("good", ExecSpec(("nope",), ENV, "/nowhere"), 5)
    assert not any(node.base.glob("c-*/upper/poisoned"))
    assert not (node.image / "poisoned").exists()


async def test_zygote_and_shim_load_nothing_heavy(node: Node):
    shim = await node.pod()
    for pid in (node.zygote.pid, shim.pid):
        maps = Path(f"/proc/{pid}/maps").read_text()
        assert not re.search(r"_ssl|grpc|pydantic|_asyncio|uvloop", maps)


async def test_modules_of_the_zygote_are_few():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sampan_runtime.shim.zygote; print('\\n'.join(sys.modules))"
    )
    root = Path(client.__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", code, str(root), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert not FORBIDDEN & set(output.decode().split())


async def test_a_shim_is_small(node: Node):
    shim = await node.pod()
    rollup = Path(f"/proc/{shim.pid}/smaps_rollup").read_text()
    own = sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", rollup, re.MULTILINE))
    assert own < 2.5 * 1024


async def test_an_uncommitted_sandbox_ends_with_its_connection(node: Node):
    shim = await node.zygote.create_sandbox(node.sandbox())
    shim.close()
    await until(lambda: not Path(f"/proc/{shim.pid}").exists())
    assert not (node.base / "pod" / "shim.json").exists()
    with pytest.raises(ShimGone):
        await client.attach(node.base / "pod")


async def test_a_committed_one_is_found_again_with_what_happened_meanwhile(node: Node):
    shim = await node.zygote.create_sandbox(node.sandbox())
    await shim.commit()
    await node.start(shim, "short", "sh", "-c", "sleep 0.1; exit 4")
    await node.start(shim, "long", "sleep", "100")
    shim.close()
    await node.zygote.stop()
    await until(lambda: (node.base / "pod" / "exits.json").exists())
    again = await client.attach(node.base / "pod")
    node.follow(again)
    states = {state.id: state for state in await again.list()}
    assert states["short"].exit is not None
    assert states["short"].exit.exit_code == 4
    assert states["long"].state == "running"
    assert client.read_exits(node.base / "pod")["short"] == states["short"].exit
    await again.kill("long", signal.SIGKILL)
    assert (await node.exit_of("long")).exit_code == 137


async def test_containers_die_with_their_shim(node: Node):
    shim = await node.pod()
    pid = await node.start(shim, "c", "sleep", "100")
    os.kill(shim.pid, signal.SIGKILL)
    await asyncio.wait_for(asyncio.shield(shim.closed), 60)
    await until(lambda: not Path(f"/proc/{pid}").exists())
    with pytest.raises(ShimGone):
        await client.attach(node.base / "pod")


async def test_a_container_waiting_for_its_start_dies_with_its_shim(node: Node):
    shim = await node.pod()
    pid = await shim.create_container(node.container(shim, "c", "sleep", "100"))
    os.kill(shim.pid, signal.SIGKILL)
    await until(lambda: not Path(f"/proc/{pid}").exists())


async def test_pods_share_names_and_memory_but_not_processes(node: Node):
    shim = await node.pod()
    await node.start(shim, "a", "sleep", "100")
    await node.start(shim, "b", "sleep", "100")
    await node.sh(shim, "a", "echo shared > /dev/shm/x")
    assert await node.sh(shim, "b", "cat /dev/shm/x; hostname") == "shared\npod-host\n"
    assert (await node.sh(shim, "b", "ps")).count("sleep") == 1


async def test_shared_memory_outlives_a_container(node: Node):
    shim = await node.pod()
    await node.output(shim, "a", "sh", "-c", "echo kept > /dev/shm/x")
    assert await node.output(shim, "b", "cat", "/dev/shm/x") == "kept\n"


async def test_a_shared_pid_namespace(node: Node):
    shim = await node.pod(share_pid=True)
    await node.start(shim, "a", "sleep", "101", pid_namespace="pod")
    await node.start(shim, "b", "sh", "-c", "sleep 102 & sleep 103", pid_namespace="pod")
    await until(lambda: len(cgroups.members(cgroups.detect(), f"{node.cgroup}/pod/b")) >= 2)
    text = await node.sh(shim, "b", "ps")
    assert "sleep 101" in text
    await shim.kill("b", signal.SIGKILL)
    assert (await node.exit_of("b")).signal == 9
    assert "sleep 102" not in await node.sh(shim, "a", "ps")


async def test_a_debug_container_joins_the_processes_of_another(node: Node):
    shim = await node.pod()
    await node.start(shim, "a", "sleep", "101")
    assert "1 0        sleep 101" in await node.output(shim, "b", "ps", pid_namespace="a")


async def test_a_pod_has_its_address_and_reaches_its_gateway(node: Node):
    shim = await node.pod(network=node.network(7), sysctls={"net.ipv4.ip_unprivileged_port_start": "0"})
    text = await node.output(shim, "c", "sh", "-c", "ping -c 1 -W 30 10.99.0.1; cat /proc/sys/net/ipv4/ip_unpriv*")
    assert "1 packets received" in text
    assert text.endswith("\n0\n")


async def test_a_taken_interface_name_fails_the_sandbox(node: Node):
    await node.pod("one", network=node.network(7))
    with pytest.raises(StepFailed, match="name the interface test7") as caught:
        await node.pod("two", network=node.network(7))
    assert caught.value.errno == errno.EEXIST


async def test_attach_sees_output_and_feeds_input(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sh", "-c", "cat; echo done", stdin=True, stdin_once=True)
    streams = await shim.attach_io("c")
    os.write(streams.stdin, b"hello\n")
    assert await asyncio.to_thread(os.read, streams.stdout, 100) == b"hello\n"
    os.close(streams.stdin)
    assert (await node.exit_of("c")).exit_code == 0
    assert await asyncio.to_thread(os.read, streams.stdout, 100) == b"done\n"
    assert await asyncio.to_thread(os.read, streams.stdout, 100) == b""
    os.close(streams.stdout)
    os.close(streams.stderr)


async def test_a_slow_client_loses_nothing(node: Node):
    shim = await node.pod()
    script = "read x; i=0; while [ $i -lt 40000 ]; do echo line-$i; i=$((i+1)); done"
    await node.start(shim, "c", "sh", "-c", script, stdin=True)
    streams = await shim.attach_io("c")
    os.write(streams.stdin, b"\n")
    await until(lambda: node.log("c") != [])
    received = b""
    while chunk := await asyncio.to_thread(os.read, streams.stdout, 65536):
        received += chunk
    assert received == b"".join(b"line-%d\n" % number for number in range(40000))
    await node.exit_of("c")
    assert len(node.log("c")) == 40000
    for fd in (streams.stdin, streams.stdout, streams.stderr):
        os.close(fd)


async def test_what_an_ended_container_has_left_is_logged_though_a_client_takes_nothing(node: Node):
    (node.image / "lines").write_text("line\n" * 6000)
    shim = await node.pod()
    await node.start(shim, "c", "sh", "-c", "read x; cat /lines; read x; cat /lines", stdin=True)
    streams = await shim.attach_io("c")
    fcntl.fcntl(streams.stdout, fcntl.F_SETPIPE_SZ, 4096)
    os.write(streams.stdin, b"\n")
    await until(lambda: len(node.log("c")) == 6000)
    # From now on the shim waits for the client; this fits into the container's pipe.
    os.write(streams.stdin, b"\n")
    await node.exit_of("c")
    assert len(node.log("c")) == 12000
    for fd in (streams.stdin, streams.stdout, streams.stderr):
        os.close(fd)


async def test_a_terminal(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sh", "-c", "read x; stty size; echo got $x", tty=True, stdin=True)
    await shim.resize("c", 120, 40)
    streams = await shim.attach_io("c")
    assert streams.stderr == -1
    os.write(streams.stdin, b"input\n")
    await node.exit_of("c")
    text = "".join(node.log("c"))
    assert "40 120" in text
    assert "got input" in text
    os.close(streams.stdin)
    os.close(streams.stdout)


def read_to_the_end(terminal: int) -> bytes:
    """What is written to a terminal arrives piece by piece; its end is EIO."""
    text = b""
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 1000):
            text += piece
    return text


async def test_exec_with_a_terminal(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    process = await shim.exec("c", ExecSpec(("sh", "-c", "read x; stty size; exit 5"), ENV, "/", tty=True))
    process.resize(100, 30)
    os.write(process.tty, b"\n")
    assert await process.wait() == 5
    assert b"30 100" in read_to_the_end(process.tty)
    os.close(process.tty)


async def test_exec_reads_its_standard_input(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    process = await shim.exec("c", ExecSpec(("cat",), ENV, "/"), in_read, out_write)
    os.close(in_read)
    os.close(out_write)
    os.write(in_write, b"through")
    os.close(in_write)
    assert await process.wait() == 0
    assert os.read(out_read, 100) == b"through"
    os.close(out_read)


async def test_a_large_environment_travels(node: Node):
    shim = await node.pod()
    env = (*ENV, *(f"VARIABLE_{number}={'x' * 1000}" for number in range(400)))
    text = await node.output(shim, "c", "env", env=env)
    assert text.count("VARIABLE_") == 400


async def test_many_layers_fit_into_one_mount(node: Node):
    layers = []
    for number in range(60):
        layer = node.base / "layers" / f"{number:02}-{'x' * 80}"
        layer.mkdir(parents=True)
        (layer / f"file{number}").touch()
        layers.append(str(layer))
    shim = await node.pod()
    text = await node.output(shim, "c", "ls", "/", lower=(*layers, str(node.image)))
    assert text.count("file") == 60


async def test_a_privileged_container_has_the_nodes_devices_and_capabilities(node: Node):
    shim = await node.pod()
    security = replace(DEFAULT_SECURITY, privileged=True)
    text = await node.output(shim, "c", "sh", "-c", "ls /dev; cat /proc/self/status", security=security)
    own = re.search(r"CapBnd:\t(\w+)", Path("/proc/self/status").read_text())[1]  # type: ignore[index]
    assert f"CapEff:\t{own}" in text
    assert "Seccomp:\t0" in text
    assert {"null", "kmsg"} <= set(text.split())


async def test_a_mount_of_the_node_appears_in_a_container_that_listens(node: Node):
    volume = node.base / "volume"
    volume.mkdir()
    syscalls.mount(str(volume), str(volume), "", syscalls.MS_BIND)
    syscalls.mount("", str(volume), "", syscalls.MS_SHARED)
    try:
        shim = await node.pod()
        mounts = (Mount("/volume", str(volume), propagation="rslave"),)
        await node.start(shim, "c", "sleep", "100", mounts=mounts)
        (volume / "later").mkdir()
        syscalls.mount("tmpfs", str(volume / "later"), "tmpfs", 0, "size=1m")
        try:
            assert "/volume/later" in await node.sh(shim, "c", "mount")
        finally:
            syscalls.umount2(str(volume / "later"), syscalls.MNT_DETACH)
    finally:
        syscalls.umount2(str(volume), syscalls.MNT_DETACH)


async def test_a_stopped_pod_leaves_nothing(node: Node):
    mounts = Path("/proc/self/mountinfo").read_text()
    shim = await node.pod(network=node.network())
    pid = await node.start(shim, "c", "sleep", "100")
    await shim.stop()
    assert not Path(f"/proc/{pid}").exists()
    await until(lambda: not Path(f"/proc/{shim.pid}").exists())
    assert not list(Path("/sys/fs/cgroup").glob(f"*{node.cgroup}/pod"))
    assert not (node.base / "pod" / "shim.sock").exists()
    assert Path("/proc/self/mountinfo").read_text() == mounts


async def test_a_removed_container_frees_its_name(node: Node):
    shim = await node.pod()
    await node.start(shim, "c", "sleep", "100")
    await shim.remove_container("c")
    assert await shim.list() == []
    await shim.remove_container("c")
    assert not Path(f"/sys/fs/cgroup/memory{node.cgroup}/pod/c").exists()


def blanks_of(zygote: client.Zygote) -> set[int]:
    text = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text()
    return {int(pid) for pid in text.split()}


async def test_shims_made_ahead_are_used_replaced_and_end_with_their_zygote(node: Node):
    await until(lambda: len(blanks_of(node.zygote)) == 2)
    first = blanks_of(node.zygote)
    shim = await node.pod(network=node.network(9))
    assert shim.pid in first
    await until(lambda: len(blanks_of(node.zygote)) == 3)
    spare = blanks_of(node.zygote) - {shim.pid}
    await node.zygote.stop()
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in spare))
    assert Path(f"/proc/{shim.pid}").exists()


async def test_a_blank_that_died_is_passed_over(node: Node):
    await until(lambda: len(blanks_of(node.zygote)) == 2)
    for pid in blanks_of(node.zygote):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not blanks_of(node.zygote))
    shim = await node.pod(network=node.network(9))
    assert "10.99.0.9" in await node.output(shim, "c", "sh", "-c", "cat /proc/net/fib_trie")
