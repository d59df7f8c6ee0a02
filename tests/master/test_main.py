"""The master as a process: it starts, leaves the access files, and stops when it is told to."""

import asyncio
import json
import stat
import time

import pytest
import yaml
from master_process import Process
from sampan_api.clock import VirtualClock
from sampan_master.data_dir import identity
from sampan_master.keep_running import keep_running


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(*options, directory=tmp_path):
        running.append(Process(directory, *options))
        return running[-1]

    yield begin
    for process in running:
        process.close()


def leases(process):
    items = json.loads(process.get("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"))["items"]
    return {item["metadata"]["name"]: item["spec"] for item in items}


def wait_for_leases(process, names):
    deadline = time.monotonic() + 60
    while set(found := leases(process)) != names:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_the_master_answers_leaves_access_files_and_keeps_them_over_a_restart(start, tmp_path):
    first = start("--in-memory", "--cluster", "lab")
    first.wait_until_ready()
    assert first.get("/readyz") == "ok"
    names = {item["metadata"]["name"] for item in json.loads(first.get("/api/v1/namespaces"))["items"]}
    assert {"default", "kube-system", "kube-node-lease"} <= names
    for name in ("admin.kubeconfig", "join.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    join = json.loads((tmp_path / "join.json").read_text())
    assert join["server"].startswith("127.0.0.1:")
    assert not join["node_server"].endswith(":0")
    held = wait_for_leases(first, {"kube-scheduler", "kube-controller-manager"})
    assert {spec["holderIdentity"] for spec in held.values()} == {identity(tmp_path)}
    told = first.get("/metrics").splitlines()
    assert 'leader_election_master_status{name="kube-scheduler"} 1' in told
    assert "# TYPE scheduler_schedule_attempts_total counter" in told
    assert first.terminate() == 0

    second = start("--in-memory", "--cluster", "lab")
    second.wait_until_ready()
    again = json.loads((tmp_path / "join.json").read_text())
    assert (again["token"], again["ca"]) == (join["token"], join["ca"])
    assert second.get("/readyz") == "ok"
    assert second.terminate() == 0


def test_it_can_be_stopped_while_it_waits_for_etcd(start, tmp_path):
    process = start("--etcd", "http://127.0.0.1:1")
    deadline = time.monotonic() + 60
    while not (tmp_path / "pki" / "ca.crt").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert process.terminate() == 0


def test_a_taken_port_is_said_and_ends_the_process(start, tmp_path, capfd):
    first = start("--in-memory")
    first.wait_until_ready()
    taken = yaml.safe_load((tmp_path / "admin.kubeconfig").read_text())["clusters"][0]["cluster"]["server"]
    second = start("--in-memory", "--listen", taken.removeprefix("https://"), directory=tmp_path / "second")
    assert second.process.wait(60) == 1
    assert "cannot start" in capfd.readouterr().err


def test_a_taken_port_of_the_node_link_is_named(start, tmp_path, capfd):
    first = start("--in-memory")
    first.wait_until_ready()
    taken = json.loads((tmp_path / "join.json").read_text())["node_server"]
    second = start("--in-memory", "--node-listen", taken, directory=tmp_path / "second")
    assert second.process.wait(60) == 1
    said = capfd.readouterr().err
    assert f"cannot start: cannot listen on {taken} for nodes" in said
    assert "Traceback" not in said


def test_a_wrong_scheduler_configuration_ends_it_before_anything_is_there(start, tmp_path, capfd):
    config = tmp_path / "scheduler.yaml"
    config.write_text("apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofles: []\n")
    master = start("--in-memory", "--scheduler-config", str(config), directory=tmp_path / "data")
    assert master.process.wait(60) == 1
    assert 'profles: unknown field, did you mean "profiles"?' in capfd.readouterr().err
    assert not (tmp_path / "data").exists()


def test_parts_that_are_switched_off_do_not_run(start):
    master = start("--in-memory", "--components", "*,-scheduler")
    master.wait_until_ready()
    wait_for_leases(master, {"kube-controller-manager"})
    assert "scheduler_" not in master.get("/metrics").replace("kube-scheduler", "")


async def test_a_part_that_fails_is_started_again_with_back_off():
    clock, starts = VirtualClock(), []

    async def part():
        starts.append(clock.monotonic())
        if len(starts) != 3:
            raise RuntimeError("failed")

    keeping = asyncio.create_task(keep_running("part", part, clock))
    await clock.advance(16)
    assert starts == [0, 1, 3, 7, 15]
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
