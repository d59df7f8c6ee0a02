"""The supervisor and its guardian, with stand-ins for the planks."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sampan_cli.cluster import bringup, record, takedown
from sampan_cli.cluster.plan import Component, Plan, make_plan
from sampan_cli.cluster.record import GUARDIAN, SUPERVISOR, Phase
from sampan_cli.cluster.settings import ClusterSettings
from sampan_cli.cluster.supervisor import cap_log, supervisor_command

pytestmark = pytest.mark.root

STAND_IN = """
import signal, sys
def main(argv):
    print("hello from", argv[0], flush=True)
    while True:
        signal.pause()
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plan]:
    (tmp_path / "cli_stand_in.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = make_plan(ClusterSettings(f"clisup{os.getpid()}", nodes=1), "10.99.0.0/24", (1, 2, 3), (2, 1 << 30))
    state = made.settings.state_dir
    record.save(made, Phase.UP)
    (state / "log").mkdir()
    record.save_components(
        made.settings.cluster,
        [
            Component("etcd", ("sleep", "1000"), log=str(state / "log" / "etcd.log")),
            Component("master", ("one",), "cli_stand_in", log=str(state / "log" / "master.log")),
            Component("agent-node1", ("two",), "cli_stand_in", log=str(state / "log" / "agent.log")),
        ],
    )
    yield made
    takedown.take_down(made.settings.cluster, lambda _text: None)
    assert not state.exists()


@pytest.fixture
def running(plan: Plan, eventually: Callable[..., Any]) -> Iterator[Plan]:
    cluster = plan.settings.cluster
    with (
        open(plan.settings.state_dir / "log" / "supervisor.log", "a") as log,
        subprocess.Popen(
            supervisor_command(cluster), stdout=log, stderr=log, cwd="/", start_new_session=True
        ) as process,
    ):
        eventually(lambda: all(_pid(cluster, n) for n in ("etcd", "master", "agent-node1", GUARDIAN)))
        yield plan
        record.save(plan, Phase.DOWN)
        for name in (GUARDIAN, SUPERVISOR):
            if living := record.process(cluster, name):
                living.signal(signal.SIGKILL)
        process.wait(60)


def _pid(cluster: str, name: str) -> int:
    living = record.process(cluster, name)
    return living.pid if living else 0


def _pids(cluster: str) -> dict[str, int]:
    return {name: _pid(cluster, name) for name in ("etcd", "master", "agent-node1")}


def test_what_dies_is_started_again_and_the_others_go_on(running: Plan, eventually: Callable[..., Any]) -> None:
    cluster = running.settings.cluster
    before = _pids(cluster)
    os.kill(before["master"], signal.SIGKILL)
    eventually(lambda: _pid(cluster, "master") not in (0, before["master"]))
    after = _pids(cluster)
    assert {k: v for k, v in after.items() if k != "master"} == {k: v for k, v in before.items() if k != "master"}
    assert record.process(cluster, "master").generation == 2  # type: ignore[union-attr]


def test_the_supervisor_killed_is_back_and_has_adopted_everything(
    running: Plan, eventually: Callable[..., Any]
) -> None:
    cluster = running.settings.cluster
    before, old = _pids(cluster), _pid(cluster, SUPERVISOR)
    os.kill(old, signal.SIGKILL)
    eventually(lambda: _pid(cluster, SUPERVISOR) not in (0, old))
    log = running.settings.state_dir / "log" / "supervisor.log"
    eventually(lambda: log.read_text().count("adopted") == 3)
    assert _pids(cluster) == before
    os.kill(before["master"], signal.SIGKILL)
    eventually(lambda: _pid(cluster, "master") not in (0, before["master"]))


def test_the_guardian_killed_is_back(running: Plan, eventually: Callable[..., Any]) -> None:
    cluster = running.settings.cluster
    old, supervisor = _pid(cluster, GUARDIAN), _pid(cluster, SUPERVISOR)
    os.kill(old, signal.SIGKILL)
    eventually(lambda: _pid(cluster, GUARDIAN) not in (0, old))
    assert _pid(cluster, SUPERVISOR) == supervisor


def test_a_second_supervisor_leaves_at_once(running: Plan) -> None:
    done = subprocess.run(
        supervisor_command(running.settings.cluster), text=True, capture_output=True, timeout=60, cwd="/"
    )
    assert done.returncode == 0
    assert "another supervisor is at work" in done.stdout


def test_nothing_is_restarted_while_the_cluster_goes_down(running: Plan, eventually: Callable[..., Any]) -> None:
    cluster = running.settings.cluster
    record.save(running, Phase.DOWN)
    os.kill(_pid(cluster, "master"), signal.SIGKILL)
    eventually(lambda: not _pid(cluster, SUPERVISOR))
    assert not _pid(cluster, "master")


def test_a_log_beyond_its_cap_keeps_its_newest_part(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("old" * 100 + "new")
    cap_log(log, limit=100)
    assert log.read_text() == ""
    assert (tmp_path / "a.log.1").read_text().endswith("new")
    assert bringup.machine_capacity()[0] >= 1
