from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import KUBECTL, Cluster, eventually
from recorded_cases import read_cases, summary


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One cluster of three nodes for the whole session, with node times shortened through configuration."""
    assert os.geteuid() == 0, "the end-to-end tests need root: they make network namespaces and cgroups"
    assert KUBECTL.exists(), f"{KUBECTL} is missing: scripts/test fetches it"
    made = Cluster(
        f"e2e{os.getpid()}",
        ["--port", "16443", "--node-heartbeat-seconds", "1", "--node-monitor-grace-seconds", "4",
         "--node-monitor-period-seconds", "1", "--default-toleration-seconds", "2"],
    )  # fmt: skip
    try:
        made.up()
        yield made
    finally:
        made.down()
        shutil.rmtree(f"/tmp/sampan-e2e-home-{made.name}", ignore_errors=True)


@pytest.fixture
def clean(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with nothing in the default namespace, before and after the test."""
    _empty(cluster)
    yield cluster
    _empty(cluster)


def _empty(cluster: Cluster) -> None:
    cluster.kubectl("delete", "rs,pods", "--all", "--grace-period=1", "--wait=false")
    eventually(
        lambda: not cluster.items("rs") and not cluster.items("pods"),
        "the default namespace is empty",
        timeout=60,
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What is not compared yet is counted wherever the recorded cases were run."""
    if any("test_recorded_cases" in report.nodeid for report in terminalreporter.getreports("passed")):
        terminalreporter.write_line(summary(read_cases()))
