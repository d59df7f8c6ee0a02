"""An operator written with kopf, unmodified, on built-in kinds: discovery, watches, merge patches with its own
annotations, finalizers, patches of status, owner references and events."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Cluster, eventually

pytestmark = pytest.mark.e2e
OPERATOR = Path(__file__).parent / "data" / "operator_on_builtins.py"
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"


class Operated:
    """The namespace that the operator watches."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def create(self, kind: str, name: str, **body: Any) -> None:
        metadata = {"name": name, "labels": {"operated": "yes"}}
        manifest = json.dumps({"apiVersion": "v1", "kind": kind, "metadata": metadata, **body})
        self.cluster.kubectl("create", "-n", self.namespace, "-f", "-", stdin=manifest)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return dict(self.cluster.get(kind, name, "-n", self.namespace))

    def kubectl(self, *args: str) -> str:
        return self.cluster.kubectl(*args, "-n", self.namespace).stdout

    def names(self) -> set[str]:
        return {item["metadata"]["name"] for item in self.cluster.items("configmaps", "-n", self.namespace)}


@pytest.fixture(scope="module")
def operated(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    written = tmp_path_factory.mktemp("operator") / "log"
    cluster.kubectl("create", "namespace", "operated")
    with written.open("w") as log:
        command = [sys.executable, "-m", "kopf", "run", str(OPERATOR), "-n", "operated", "--standalone"]
        operator = subprocess.Popen(command, env=cluster.environment(), stdout=log, stderr=log)
        try:
            yield Operated(cluster, "operated")
        finally:
            cluster.kubectl("delete", "configmaps,pods", "-n", "operated", "-l", "operated=yes", check=False)
            operator.terminate()
            operator.wait(timeout=60)
            sys.stdout.write(written.read_text()[-6000:])
            cluster.kubectl("delete", "namespace", "operated", "--wait=false")


def seen(operated: Operated, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = operated.get("configmap", name)
        return found if found.get("data", {}).get("seen") == "1" else None

    return eventually(look, f"the operator has seen {name}") or {}


def test_what_is_created_is_seen_once_and_gets_a_child(operated: Operated) -> None:
    operated.create("ConfigMap", "a", data={"size": "1"})
    parent = seen(operated, "a")
    assert parent["metadata"]["finalizers"] == [FINALIZER]
    assert "kopf.zalando.org/last-handled-configuration" in parent["metadata"]["annotations"]
    (owner,) = operated.get("configmap", "a-child")["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ConfigMap", "a", parent["metadata"]["uid"])
    events = eventually(
        lambda: operated.cluster.items("events", "-n", operated.namespace, "--field-selector=reason=Operated"),
        "the operator's event is there",
    )
    assert [event["message"] for event in events] == ["a has a child"]


def test_a_change_of_a_field_is_told_with_old_and_new(operated: Operated) -> None:
    operated.create("ConfigMap", "b", data={"size": "1"})
    seen(operated, "b")
    operated.kubectl("patch", "configmap", "b", "--type=merge", "-p", '{"data":{"size":"2"}}')
    eventually(
        lambda: operated.get("configmap", "b")["metadata"]["annotations"].get("example.com/resized") == "1 to 2",
        "the operator has seen the change",
    )


def test_a_deletion_waits_for_the_finalizer_and_takes_the_child_along(operated: Operated) -> None:
    operated.create("ConfigMap", "c")
    seen(operated, "c")
    operated.kubectl("delete", "configmap", "c")
    eventually(lambda: operated.names() & {"c", "c-child", "c-farewell"} == {"c-farewell"}, "only the farewell is left")


def test_the_status_of_a_pod_takes_the_operators_condition(operated: Operated) -> None:
    spec = {
        "schedulingGates": [{"name": "example.com/judge"}],
        "containers": [{"name": "c", "image": "busybox:1.35"}],
    }
    operated.create("Pod", "p", spec=spec)
    judged = {"type": "example.com/Judged", "status": "True"}

    def condition() -> bool:
        conditions = operated.get("pod", "p")["status"].get("conditions", [])
        return any(judged.items() <= one.items() for one in conditions)

    eventually(condition, "the pod is judged")
