"""The real kubectl against a master in memory: exit code and first line are those that a real cluster gave.

The cases build on each other and run in the order of the file. What needs containers that run is in tests/e2e.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubectl_cases import CASES, DATA, IMAGE, RUN, Case, is_as_recorded
from master_in_memory import master_in_memory

pytestmark = pytest.mark.e2e
BIN = Path(sys.prefix) / "share" / "sampan" / "bin"
Shell = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Runs a line of a case in a directory with the manifests, its kubectl speaking to namespace ct of the master."""
    assert (BIN / "kubectl").exists(), f"{BIN}/kubectl is missing: scripts/test fetches it"
    place = tmp_path_factory.mktemp("cases")
    for manifest in (DATA / "manifests").iterdir():
        shutil.copy(manifest, place)
    with master_in_memory(place / "master") as kubeconfig:
        environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(place / "home"),
        }

        def run(line: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["bash", "-c", line], cwd=place, env=environment, text=True, capture_output=True, timeout=60
            )

        made = run(
            "kubectl create ns ct && kubectl create ns ct2 && kubectl create -n ct2 -f pod2.yaml -f cm.yaml"
            " && kubectl config set-context --current --namespace=ct"
            " && kubectl create -f crash.yaml -f pfweb.yaml"
        )
        assert made.returncode == 0, made.stderr
        yield run


@pytest.mark.parametrize("case", RUN, ids=lambda case: case.id)
def test_kubectl_says_what_it_says_to_kubernetes(shell: Shell, case: Case) -> None:
    done = shell(case.command.replace("IMG", IMAGE))
    said = f"{case.command}\nexit {done.returncode}\n{done.stdout[:1500]}\n--- stderr\n{done.stderr[:1500]}"
    assert str(done.returncode) == case.exit, said
    assert is_as_recorded(done.stdout, case.stdout), said
    assert is_as_recorded(done.stderr, case.stderr), said


def test_every_case_is_there_once() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
