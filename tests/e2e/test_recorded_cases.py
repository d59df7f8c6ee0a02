"""kubectl 1.37, 1.32 and 1.20, helm and the Python clients against a cluster of one node: exit code and first lines are
those that a real Kubernetes let them print. The cases build on each other and run in the order of the file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import KUBECTL, Cluster
from recorded_cases import DATA, IMAGES, Case, differences, line_of, read_cases

pytestmark = pytest.mark.e2e
BIN = KUBECTL.parent
PATIENCE = 180.0
PATIENCE_WITH_WAITING = 5.0
"""For a case that cannot hold yet: many of them wait for something that never comes."""

Shell = Callable[[str, float], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Runs a line of a case in a directory with the manifests, its kubectl speaking to namespace ct."""
    for program in ("kubectl", "kubectl-1.32", "kubectl-1.20", "helm"):
        assert (BIN / program).exists(), f"{BIN}/{program} is missing: scripts/test fetches it"
    place = tmp_path_factory.mktemp("cases")
    _lay_out(place / "cwd")
    shutil.copy(DATA / "manifests" / "kopfop.py", place)
    cluster = Cluster(f"cases{os.getpid()}", ["--port", "18443", "--nodes", "1", "--no-apply"])
    try:
        cluster.up()
        shutil.copy(cluster.kubeconfig, place / "cwd" / "kc.yaml")
        environment = {
            **os.environ,
            "PATH": f"{DATA / 'programs'}:{BIN}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(place / "cwd" / "kc.yaml"),
            "HOME": str(place / "home"),
            "TMPDIR": str(place),
        }

        def run(line: str, patience: float) -> subprocess.CompletedProcess[str]:
            return _bash(line, place / "cwd", environment, patience)

        made = run(
            "kubectl config rename-context $(kubectl config current-context) peer && kubectl create ns ct &&"
            " kubectl create ns ct2 && kubectl create -n ct2 -f pod2.yaml -f cm.yaml &&"
            " kubectl config set-context --current --namespace=ct",
            PATIENCE,
        )
        assert made.returncode == 0, made.stderr
        yield run
    finally:
        cluster.down()


def _lay_out(directory: Path) -> None:
    """The manifests, with an image that every node has."""
    shutil.copytree(DATA / "manifests", directory)
    for path in directory.rglob("*.yaml"):
        text = path.read_text()
        for name, here in IMAGES.items():
            text = text.replace(name, here) if "/" in name else text
        path.write_text(text)


def _bash(line: str, cwd: Path, environment: dict[str, str], patience: float) -> subprocess.CompletedProcess[str]:
    """Whatever a line has started ends with it; its exit code is 124, as timeout(1) has it, where it took too long."""
    with subprocess.Popen(
        ["bash", "-c", line], cwd=cwd, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            stdout, stderr = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            return subprocess.CompletedProcess(line, 124, stdout, f"not within {patience:g} s\n{stderr}")
    return subprocess.CompletedProcess(line, process.returncode, stdout, stderr)


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.id)
def test_clients_say_what_they_say_to_kubernetes(shell: Shell, case: Case) -> None:
    done = shell(line_of(case), PATIENCE_WITH_WAITING if case.later else PATIENCE)
    found = differences(case, done.returncode, done.stdout, done.stderr)
    if case.later:
        assert found, f"{case.id} holds now: take it out of tests/e2e/data/kubectl-later.tsv"
    else:
        assert not found, "\n".join(
            [case.command, *found, f"exit {done.returncode}", done.stdout[:1500], "--- stderr", done.stderr[:1500]]
        )
