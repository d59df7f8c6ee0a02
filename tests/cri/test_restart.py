"""What survives the daemon's death, and what is made true again afterwards."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri

pytestmark = pytest.mark.root


def start_time(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def alive(pid):
    """A zombie that nobody has reaped yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def shim_pid(node, pod):
    return json.loads((node.run / "pods" / pod[:16] / "shim.json").read_text())["pid"]


def test_containers_outlive_a_killed_daemon_and_are_found_again(fresh_node):
    node = fresh_node
    pod = node.sandbox("survivor")
    lives = node.container(pod, "sleep", "1000", name="lives")
    ends = node.container(pod, "sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 5", name="ends")
    pid, address = node.pid(lives), node.sandbox_status(pod).network.ip
    before = start_time(pid)
    Path(f"/proc/{node.pid(ends)}/root/tmp/go").touch()
    node.stop(signal.SIGKILL)
    node.start()
    assert start_time(pid) == before
    assert node.pid(lives) == pid
    assert node.status(lives).state == cri.CONTAINER_RUNNING
    assert node.sandbox_status(pod).state == cri.SANDBOX_READY
    assert node.sandbox_status(pod).network.ip == address
    assert node.exited(ends).exit_code == 5
    assert node.exec(lives, "echo", "still").stdout == b"still\n"
    node.runtime.StopContainer(cri.StopContainerRequest(container_id=lives, timeout=0))
    assert node.status(lives).exit_code == 137


def test_a_dead_shim_takes_its_pod_along(fresh_node):
    node = fresh_node
    pod = node.sandbox("orphan")
    id = node.container(pod, "sleep", "1000", name="orphan")
    pid = node.pid(id)
    os.kill(shim_pid(node, pod), signal.SIGKILL)
    status = node.exited(id)
    assert (status.exit_code, status.reason) == (255, "ContainerStatusUnknown")
    node.eventually(lambda: not alive(pid))
    assert node.sandbox_status(pod).state == cri.SANDBOX_NOTREADY
    node.runtime.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=pod))


def test_a_shim_that_died_with_the_daemon_is_written_off(fresh_node):
    node = fresh_node
    pod = node.sandbox("both")
    id = node.container(pod, "sleep", "1000", name="both")
    pid = node.pid(id)
    shim = shim_pid(node, pod)
    node.stop(signal.SIGKILL)
    os.kill(shim, signal.SIGKILL)
    node.eventually(lambda: not alive(shim) and not alive(pid))
    node.start()
    assert node.status(id).exit_code == 255


def test_a_half_made_sandbox_is_destroyed(fresh_node):
    node = fresh_node
    pod = node.sandbox("half")
    node.container(pod, "sleep", "1000", name="half")
    address = node.sandbox_status(pod).network.ip
    node.stop(signal.SIGKILL)
    (node.state / "sandboxes" / pod / "state.json").unlink()
    node.start()
    assert node.runtime.ListPodSandbox(cri.ListPodSandboxRequest()).items == []
    assert not (node.state / "sandboxes" / pod).exists()
    assert (node.state / "ipam" / address).read_text() == ""
    assert list(node.run.glob("pods/*")) == []


def test_after_a_reboot_nothing_runs_and_addresses_are_kept(fresh_node):
    node = fresh_node
    pod = node.sandbox("rebooted")
    id = node.container(pod, "sleep", "1000", name="rebooted")
    address = node.sandbox_status(pod).network.ip
    node.runtime.StopContainer(cri.StopContainerRequest(container_id=id, timeout=0))
    node.stop(signal.SIGKILL)
    shim = shim_pid(node, pod)
    os.kill(shim, signal.SIGKILL)
    node.eventually(lambda: not alive(shim))
    for file, change in (("sandboxes/" + pod + "/config.json", {"boot_id": "other"}),):
        record = json.loads((node.state / file).read_text())
        (node.state / file).write_text(json.dumps({**record, **change}))
    state = node.state / "containers" / id / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "state": "running"}))
    node.start()
    status = node.status(id)
    assert (status.state, status.exit_code, status.reason) == (cri.CONTAINER_EXITED, 255, "Unknown")
    assert node.sandbox_status(pod).state == cri.SANDBOX_NOTREADY
    assert (node.state / "ipam" / address).read_text() == pod


def test_a_dead_zygote_is_replaced(fresh_node):
    node = fresh_node
    first = node.sandbox("before")
    kept = node.container(first, "sleep", "1000", name="kept")
    children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGKILL)
    second = node.sandbox("after")
    assert node.exited(node.container(second, "true", name="new")).exit_code == 0
    assert node.status(kept).state == cri.CONTAINER_RUNNING


def test_a_second_daemon_on_the_same_state_is_refused(fresh_node):
    node = fresh_node
    arguments = ["--state-dir", node.state, "--run-dir", node.run, "--listen", f"unix://{node.run}/other.sock"]
    command = ["python", "-m", "sampan_runtime", *arguments, "--cgroup-root", node.cgroup_root, "--node", "other"]

    done = subprocess.run([sys.executable, *map(str, command[1:])], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "another daemon holds" in done.stderr


def test_the_socket_is_for_root_alone_and_the_daemon_small(fresh_node):
    node = fresh_node
    assert node.socket.stat().st_mode & 0o777 == 0o600
    for number in range(5):
        node.exited(node.container(node.sandbox(f"small{number}"), "true", name="c"))
    rollup = Path(f"/proc/{node.process.pid}/smaps_rollup").read_text()
    pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    assert pss <= 40 * 1024
