from __future__ import annotations

import gc
import os
import sys
import uuid
import warnings
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
        ["--port", "16443", "--node-heartbeat-seconds", "1", "--node-monitor-grace-seconds", "12",
         "--node-monitor-period-seconds", "1", "--default-toleration-seconds", "2"],
    )  # fmt: skip
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def clean(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with nothing in the default namespace, before and after the test."""
    _empty(cluster)
    yield cluster
    _empty(cluster)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"own-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def strangers() -> Iterator[None]:
    """For tests of libraries that leave sockets to the garbage collector: what they leave is collected here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


WEB = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox:1.35
    command: [sh, -c, "mkdir /www; echo hello > /www/index.html; echo ready; exec httpd -f -p 8080 -h /www"]
"""


@pytest.fixture(scope="session")
def web(cluster: Cluster) -> Iterator[str]:
    """A namespace in which pod web serves "hello" on port 8080 and has said "ready"."""
    cluster.kubectl("create", "namespace", "web")
    cluster.kubectl("apply", "-n", "web", "-f", "-", stdin=WEB)
    cluster.kubectl("wait", "-n", "web", "--for=condition=Ready", "pod/web", "--timeout=120s")
    fetch = ("exec", "-n", "web", "web", "--", "wget", "-qO-", "http://127.0.0.1:8080/")
    eventually(lambda: cluster.kubectl(*fetch).stdout == "hello\n", "web serves")
    yield "web"
    cluster.kubectl("delete", "namespace", "web", "--wait=false")


def _empty(cluster: Cluster) -> None:
    cluster.kubectl("delete", "rs,pods", "--all", "--grace-period=1", "--wait=false")
    eventually(
        lambda: not cluster.items("rs") and not cluster.items("pods"),
        "the default namespace is empty",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What is not compared yet is counted wherever the recorded cases were run."""
    if any("test_recorded_cases" in report.nodeid for report in terminalreporter.getreports("passed")):
        terminalreporter.write_line(summary(read_cases()))
