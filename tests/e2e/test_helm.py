"""helm 4, unmodified: a chart of Deployment, Service, ConfigMap, Secret and ServiceAccount, with server-side apply
(helm's own way) and with patches that helm computes itself."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab import KUBECTL, Cluster, eventually, run

pytestmark = pytest.mark.e2e
HELM = KUBECTL.with_name("helm")
CHART = Path(__file__).parent / "data" / "chart"
KINDS = "deployments,services,configmaps,secrets,serviceaccounts"
NAME = "greeter"


@dataclass
class Helm:
    """helm in one namespace; `writing` are the flags of the verbs that write."""

    cluster: Cluster
    namespace: str
    writing: list[str]

    def __call__(self, verb: str, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        flags = self.writing if verb in ("install", "upgrade", "rollback") else []
        return run(HELM, verb, *args, *flags, "-n", self.namespace, check=check, env=self.cluster.environment())

    def get(self, kind: str) -> dict[str, Any]:
        return dict(self.cluster.get(kind, NAME, "-n", self.namespace))

    def named(self) -> set[str]:
        """Kinds of which there is an object with the release's name."""
        found = self.cluster.items(KINDS, "-n", self.namespace)
        return {item["kind"] for item in found if item["metadata"]["name"] == NAME}


@pytest.fixture(params=["server-side", "client-side"])
def helm(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Helm]:
    namespace = f"helm-{request.param}"
    cluster.kubectl("create", "namespace", namespace)
    yield Helm(cluster, namespace, [f"--server-side={'true' if request.param == 'server-side' else 'false'}"])
    cluster.kubectl("delete", "namespace", namespace)


@pytest.fixture
def release(helm: Helm) -> Helm:
    helm("install", NAME, str(CHART))
    return helm


def test_install_creates_what_the_chart_says(helm: Helm) -> None:
    out = helm("install", NAME, str(CHART), "--set", "replicas=2").stdout
    assert "STATUS: deployed" in out
    assert f"{NAME} says hello." in out
    assert helm.named() == {"Deployment", "Service", "ConfigMap", "Secret", "ServiceAccount"}
    assert helm.get("deployment")["spec"]["replicas"] == 2
    assert helm.get("configmap")["data"] == {"greeting": "hello", "revision": "1"}
    assert base64.b64decode(helm.get("secret")["data"]["password"]) == b"s3cret"
    assert helm.get("service")["spec"]["ports"][0]["targetPort"] == "http"


def test_a_release_is_listed_and_tells_its_story(release: Helm) -> None:
    (row,) = json.loads(release("list", "-o", "json").stdout)
    assert (row["name"], row["revision"], row["status"], row["chart"]) == (NAME, "1", "deployed", "greeter-0.2.0")
    status = json.loads(release("status", NAME, "-o", "json").stdout)
    assert status["info"]["status"] == "deployed"
    manifest = release("get", "manifest", NAME).stdout
    assert manifest.count("# Source: greeter/templates/") == 5
    assert release("get", "values", NAME, "--all", "-o", "json").stdout.startswith('{"greeting":"hello"')


def test_upgrade_changes_and_rollback_brings_back(release: Helm) -> None:
    release("upgrade", NAME, str(CHART), "--set", "greeting=hi,replicas=3")
    assert release.get("deployment")["spec"]["replicas"] == 3
    assert release.get("configmap")["data"] == {"greeting": "hi", "revision": "2"}
    release("rollback", NAME, "1")
    assert release.get("deployment")["spec"]["replicas"] == 1
    assert release.get("configmap")["data"] == {"greeting": "hello", "revision": "1"}
    history = json.loads(release("history", NAME, "-o", "json").stdout)
    assert [(row["revision"], row["status"], row["description"]) for row in history] == [
        (1, "superseded", "Install complete"),
        (2, "superseded", "Upgrade complete"),
        (3, "deployed", "Rollback to 1"),
    ]


def test_upgrade_deletes_what_the_chart_no_longer_has(release: Helm) -> None:
    release("upgrade", NAME, str(CHART), "--set", "secret=false")
    assert release.named() == {"Deployment", "Service", "ConfigMap", "ServiceAccount"}


def test_upgrade_keeps_what_others_have_added(release: Helm) -> None:
    release.cluster.kubectl("label", "configmap", NAME, "-n", release.namespace, "team=a")
    release("upgrade", NAME, str(CHART), "--set", "greeting=hi")
    changed = release.get("configmap")
    assert changed["metadata"]["labels"]["team"] == "a"
    assert changed["data"]["greeting"] == "hi"


def test_a_name_is_used_once(release: Helm) -> None:
    again = release("install", NAME, str(CHART), check=False)
    assert again.returncode == 1
    assert "cannot reuse a name that is still in use" in again.stderr


def test_a_dry_run_changes_nothing(release: Helm) -> None:
    before = release.get("configmap")["metadata"]["resourceVersion"]
    out = release("upgrade", NAME, str(CHART), "--set", "greeting=hi", "--dry-run=server").stdout
    assert 'greeting: "hi"' in out
    assert release.get("configmap")["metadata"]["resourceVersion"] == before
    assert len(json.loads(release("history", NAME, "-o", "json").stdout)) == 1


def test_uninstall_leaves_nothing(release: Helm) -> None:
    assert f'release "{NAME}" uninstalled' in release("uninstall", NAME).stdout
    eventually(lambda: not release.named(), "the objects of the release are gone")
    assert json.loads(release("list", "-o", "json").stdout) == []
    assert release.cluster.items("secrets", "-n", release.namespace, "-l", "owner=helm") == []


def test_server_side_apply_tells_of_a_conflict_and_can_be_forced(cluster: Cluster) -> None:
    namespace = "helm-conflict"
    cluster.kubectl("create", "namespace", namespace)
    try:
        helm = Helm(cluster, namespace, ["--server-side=true"])
        helm("install", NAME, str(CHART))
        other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"greeting": "mine"}}
        cluster.kubectl(
            "apply", "--server-side", "--force-conflicts", "--field-manager=other", "-n", namespace, "-f", "-",
            stdin=json.dumps(other),
        )  # fmt: skip
        refused = helm("upgrade", NAME, str(CHART), "--set", "greeting=hi", check=False)
        assert refused.returncode == 1
        assert 'conflict with "other"' in refused.stderr
        assert ".data.greeting" in refused.stderr
        helm("upgrade", NAME, str(CHART), "--set", "greeting=hi", "--force-conflicts")
        assert helm.get("configmap")["data"]["greeting"] == "hi"
    finally:
        cluster.kubectl("delete", "namespace", namespace)
