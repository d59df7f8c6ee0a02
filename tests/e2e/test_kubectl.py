"""The real kubectl, unmodified, with the written kubeconfig."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import ssl

import pytest
from lab import ROOT, Cluster, eventually, is_ready

pytestmark = pytest.mark.e2e

HELLO = str(ROOT / "manifests" / "hello.yaml")


@pytest.fixture
def hello(clean: Cluster) -> Cluster:
    clean.kubectl("apply", "-f", HELLO)
    clean.wait_ready("app=hello", clean.get("rs", "hello")["spec"]["replicas"])
    return clean


def test_get_shows_nodes_pods_and_replicasets_of_all_namespaces(hello: Cluster) -> None:
    out = hello.kubectl("get", "nodes,pods,rs", "-A", "-o", "wide").stdout
    assert len(re.findall(r"^node/node\d +Ready ", out, re.M)) == 3
    assert re.search(r"^default +pod/hello-\w{5} +2/2 +Running +0 +\S+ +10\.\d+\.\d+\.\d+ +node\d", out, re.M)
    assert re.search(r"^default +replicaset.apps/hello +(\d+) +\1 +\1 ", out, re.M)


def test_the_kubeconfig_is_private(cluster: Cluster) -> None:
    assert os.stat(cluster.kubeconfig).st_mode & 0o777 == 0o600


def test_anonymous_requests_are_refused_except_health_and_version(cluster: Cluster) -> None:
    server = cluster.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}").stdout

    def ask(path: str) -> tuple[int, str]:
        connection = http.client.HTTPSConnection(
            server.removeprefix("https://"), context=ssl._create_unverified_context(), timeout=60
        )
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    assert ask("/healthz") == (200, "ok")
    assert ask("/version")[0] == 200
    status, body = ask("/api/v1/pods")
    assert status == 403
    assert 'User \\"system:anonymous\\" cannot list resource \\"pods\\"' in body


def test_apply_twice_says_unchanged(hello: Cluster) -> None:
    assert "replicaset.apps/hello unchanged" in hello.kubectl("apply", "-f", HELLO).stdout


def test_scale_goes_both_ways_while_another_terminal_watches(hello: Cluster) -> None:
    with hello.start("get", "pods", "-w", "-l", "app=hello") as watch:
        watch.until("hello-")
        assert "replicaset.apps/hello scaled" in hello.kubectl("scale", "rs", "hello", "--replicas=5").stdout
        hello.wait_ready("app=hello", 5)
        hello.kubectl("scale", "rs", "hello", "--replicas=1")
        eventually(lambda: len(hello.items("pods", "-l", "app=hello")) == 1, "one pod left")
        watch.until("ContainerCreating")
        watch.until("Terminating")


def test_logs_and_following_one_container(hello: Cluster) -> None:
    pod = hello.items("pods", "-l", "app=hello")[0]["metadata"]["name"]
    eventually(lambda: hello.kubectl("logs", pod, "-c", "c2").stdout, "c2 has written a line")
    with hello.start("logs", "-f", "-c", "c2", "--tail=0", pod) as follow:
        eventually(lambda: follow.text, "a line that was written after the start")


def test_each_container_is_pid_one_of_its_own_namespace(hello: Cluster) -> None:
    pod = hello.items("pods", "-l", "app=hello")[0]
    name, command = pod["metadata"]["name"], pod["spec"]["containers"][1]["command"]
    cmdline = hello.exec(name, "cat", "/proc/1/cmdline", container="c2").stdout
    assert cmdline.split("\0")[0] == command[0]


def test_exec_passes_stdin_and_the_exit_code(hello: Cluster) -> None:
    pod = hello.items("pods", "-l", "app=hello")[0]["metadata"]["name"]
    assert hello.kubectl("exec", "-i", pod, "-c", "c2", "--", "cat", stdin="sampan\n").stdout == "sampan\n"
    failed = hello.exec(pod, "sh", "-c", "echo out; echo err >&2; exit 7", container="c2", check=False)
    assert (failed.returncode, failed.stdout) == (7, "out\n")
    assert "err\n" in failed.stderr
    assert "command terminated with exit code 7" in failed.stderr


def test_describe_tells_the_pods_story(hello: Cluster) -> None:
    pod = hello.items("pods", "-l", "app=hello")[0]["metadata"]["name"]
    out = hello.kubectl("describe", "pod", pod).stdout
    assert re.search(r"^Status: +Running", out, re.M)
    assert "Controlled By:  ReplicaSet/hello" in out
    for reason in ("Scheduled", "Pulled", "Created", "Started"):
        assert re.search(rf"^ +Normal +{reason} ", out, re.M), f"{reason} is missing in:\n{out}"


def test_label_and_annotate(hello: Cluster) -> None:
    pod = hello.items("pods", "-l", "app=hello")[0]["metadata"]["name"]
    assert hello.kubectl("label", "pod", pod, "tier=web").stdout == f"pod/{pod} labeled\n"
    assert hello.kubectl("annotate", "pod", pod, "note=a b").stdout == f"pod/{pod} annotated\n"
    metadata = hello.get("pod", pod)["metadata"]
    assert (metadata["labels"]["tier"], metadata["annotations"]["note"]) == ("web", "a b")


def test_a_deleted_pod_is_replaced(hello: Cluster) -> None:
    before = {pod["metadata"]["uid"] for pod in hello.items("pods", "-l", "app=hello")}
    victim = hello.items("pods", "-l", "app=hello")[0]["metadata"]["name"]
    hello.kubectl("delete", "pod", victim, "--wait=false")
    eventually(
        lambda: [
            p for p in hello.items("pods", "-l", "app=hello") if p["metadata"]["uid"] not in before and is_ready(p)
        ],
        "a new pod is Ready",
    )


def test_deleting_the_replicaset_cascades(hello: Cluster) -> None:
    assert 'replicaset.apps "hello" deleted' in hello.kubectl("delete", "rs", "hello").stdout
    hello.wait_gone("app=hello")


def test_orphaned_pods_stay_and_are_adopted(hello: Cluster) -> None:
    before = {pod["metadata"]["uid"] for pod in hello.items("pods", "-l", "app=hello")}
    hello.kubectl("delete", "rs", "hello", "--cascade=orphan")
    orphans = hello.items("pods", "-l", "app=hello")
    assert {pod["metadata"]["uid"] for pod in orphans} == before
    assert not any("ownerReferences" in pod["metadata"] for pod in orphans)
    hello.kubectl("apply", "-f", HELLO)
    eventually(
        lambda: all("ownerReferences" in pod["metadata"] for pod in hello.items("pods", "-l", "app=hello")),
        "adopted",
    )
    assert {pod["metadata"]["uid"] for pod in hello.items("pods", "-l", "app=hello")} == before


def test_explain(cluster: Cluster) -> None:
    out = cluster.kubectl("explain", "pod.spec.containers").stdout
    assert "KIND:       Pod" in out
    assert re.search(r"FIELD: containers <\[\]Container>", out)
    assert re.search(r"^  image\t<string>", out, re.M)


POD = """
apiVersion: v1
kind: Pod
metadata: {name: bad}
spec:
  containers:
  - {name: c, image: "busybox:1.35", %s}
"""


def test_an_unknown_field_gives_kubernetes_error(clean: Cluster) -> None:
    failed = clean.kubectl("apply", "-f", "-", stdin=POD % "imagePullPolici: Never", check=False)
    assert failed.returncode == 1
    assert 'strict decoding error: unknown field "spec.containers[0].imagePullPolici"' in failed.stderr


def test_a_wrong_type_gives_kubernetes_error(clean: Cluster) -> None:
    failed = clean.kubectl("apply", "-f", "-", stdin=POD % "command: sleep", check=False)
    assert failed.returncode == 1
    assert (
        "cannot unmarshal string into Go struct field Container.spec.containers.command of type []string"
        in failed.stderr
    )


def test_an_invalid_value_names_field_and_reason(clean: Cluster) -> None:
    failed = clean.kubectl(
        "apply", "-f", "-", stdin=POD.replace("name: bad", "name: Bad_Name") % "stdin: true", check=False
    )
    assert 'The Pod "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name"' in failed.stderr


def test_typed_creates_arrive_as_protobuf(clean: Cluster) -> None:
    assert clean.kubectl("create", "namespace", "pb").stdout == "namespace/pb created\n"
    try:
        clean.kubectl("create", "configmap", "cm", "-n", "pb", "--from-literal=a=b")
        clean.kubectl("create", "secret", "generic", "s", "-n", "pb", "--from-literal=p=q")
        clean.kubectl("create", "serviceaccount", "sa", "-n", "pb")
        assert clean.get("configmap", "cm", "-n", "pb")["data"] == {"a": "b"}
        assert clean.get("secret", "s", "-n", "pb")["data"] == {"p": "cQ=="}
    finally:
        with contextlib.suppress(AssertionError):
            clean.kubectl("delete", "namespace", "pb")
    assert clean.kubectl("get", "namespace", "pb", check=False).returncode == 1
