"""What a pod finds with which it can speak to the API, and that the API believes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab import KUBECTL, Cluster, eventually, is_ready, run

pytestmark = pytest.mark.e2e
PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"


def manifest(name: str, account: str = "", **security: int) -> str:
    container = {"name": "c", "image": "busybox:1.35", "command": ["sleep", "3600"]}
    spec = {"terminationGracePeriodSeconds": 1, "securityContext": security, "containers": [container]}
    if account:
        spec["serviceAccountName"] = account
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def server_of(cluster: Cluster) -> str:
    return cluster.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}").stdout


def test_a_pod_reads_its_token_and_the_api_knows_it_by_that(clean: Cluster, tmp_path: Path) -> None:
    clean.apply(json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}))
    clean.apply(manifest("access", "reader", runAsUser=1000))
    eventually(lambda: is_ready(clean.get("pod", "access")), "the pod is Ready")
    inside = {n: clean.exec("access", "cat", f"{PLACE}/{n}").stdout for n in ("token", "ca.crt", "namespace")}
    assert inside["namespace"] == "default"
    mode, owner = clean.exec("access", "stat", "-Lc", "%a %u", f"{PLACE}/token").stdout.split()
    assert (mode, owner) == ("600", "1000")
    (tmp_path / "ca.crt").write_text(inside["ca.crt"])

    def as_pod(*command: str) -> str:
        flags = ("--kubeconfig=/dev/null", f"--server={server_of(clean)}", f"--certificate-authority={tmp_path}/ca.crt")
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = run(KUBECTL, *flags, f"--token={inside['token']}", *command, check=False, env=environment)
        return done.stdout + done.stderr

    info = json.loads(as_pod("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    assert info["username"] == "system:serviceaccount:default:reader"
    assert info["extra"]["authentication.kubernetes.io/pod-name"] == ["access"]
    assert 'User "system:serviceaccount:default:reader" cannot list resource "pods"' in as_pod("get", "pods")
    clean.kubectl("delete", "pod", "access", "--grace-period=1")
    eventually(lambda: "Unauthorized" in as_pod("get", "pods"), "the token ended with its pod")
    clean.kubectl("delete", "sa", "reader")
