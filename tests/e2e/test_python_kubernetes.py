"""The official Python client: typed, dynamic, watching, with its informer, its leader election and its streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client, config, watch
from kubernetes.client import CoreV1Api, V1ConfigMap, V1ObjectMeta
from kubernetes.dynamic import DynamicClient
from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer
from kubernetes.stream import portforward, stream
from lab import Cluster, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("strangers")]
SSA = "application/apply-patch+yaml"


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(config_file=cluster.kubeconfig) as made:
        yield made


@pytest.fixture(scope="module")
def v1(api: client.ApiClient) -> CoreV1Api:
    return CoreV1Api(api)


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> V1ConfigMap:
    return V1ConfigMap(metadata=V1ObjectMeta(name=name, labels=labels), data=data)


def test_an_object_is_created_read_replaced_and_deleted(v1: CoreV1Api, namespace: str) -> None:
    made = v1.create_namespaced_config_map(namespace, config_map("a", x="1"))
    assert isinstance(made.metadata.creation_timestamp, datetime)
    assert made.metadata.creation_timestamp.tzinfo is not None
    made.data["x"] = "2"
    v1.replace_namespaced_config_map("a", namespace, made)
    assert v1.read_namespaced_config_map("a", namespace).data == {"x": "2"}
    assert v1.delete_namespaced_config_map("a", namespace)["status"] == "Success"
    with pytest.raises(client.ApiException) as refused:
        v1.read_namespaced_config_map("a", namespace)
    assert (refused.value.status, refused.value.reason) == (404, "Not Found")


def test_a_stale_replace_is_a_conflict(v1: CoreV1Api, namespace: str) -> None:
    stale = v1.create_namespaced_config_map(namespace, config_map("stale", x="1"))
    v1.patch_namespaced_config_map("stale", namespace, {"data": {"x": "2"}})
    with pytest.raises(client.ApiException) as refused:
        v1.replace_namespaced_config_map("stale", namespace, stale)
    assert refused.value.status == 409


def test_the_three_patches_are_told_apart_by_their_content_type(
    api: client.ApiClient, v1: CoreV1Api, namespace: str
) -> None:
    apps = client.AppsV1Api(api)
    apps.create_namespaced_replica_set(namespace, _replica_set())

    def patched(body: Any, kind: str) -> Any:
        done = apps.patch_namespaced_replica_set("rs", namespace, body, _content_type=f"application/{kind}")
        return done.spec.template.spec.containers

    one = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "busybox:latest"}]}}}}
    assert [c.name for c in patched(one, "strategic-merge-patch+json")] == ["b", "a"]
    assert [c.name for c in patched(one, "merge-patch+json")] == ["b"]
    renamed = [{"op": "replace", "path": "/spec/template/spec/containers/0/name", "value": "c"}]
    assert [c.name for c in patched(renamed, "json-patch+json")] == ["c"]


def _replica_set() -> client.V1ReplicaSet:
    labels = {"app": "rs"}
    template = client.V1PodTemplateSpec(
        metadata=V1ObjectMeta(labels=labels),
        spec=client.V1PodSpec(containers=[client.V1Container(name="a", image="busybox:1.35")]),
    )
    return client.V1ReplicaSet(
        metadata=V1ObjectMeta(name="rs"),
        spec=client.V1ReplicaSetSpec(
            replicas=0, selector=client.V1LabelSelector(match_labels=labels), template=template
        ),
    )


def test_server_side_apply_owns_its_fields_and_tells_of_conflicts(v1: CoreV1Api, namespace: str) -> None:
    def apply(manager: str, force: bool = False, **data: str) -> V1ConfigMap:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data}
        return v1.patch_namespaced_config_map(
            "applied", namespace, body, field_manager=manager, force=force, _content_type=SSA
        )

    apply("one", x="1", y="1")
    assert apply("two", z="1").data == {"x": "1", "y": "1", "z": "1"}
    assert apply("one", x="1").data == {"x": "1", "z": "1"}
    with pytest.raises(client.ApiException, match='conflict with \\\\"one\\\\"'):
        apply("two", z="1", x="2")
    changed = apply("two", force=True, z="1", x="2")
    assert changed.data == {"x": "2", "z": "1"}
    assert {(entry.manager, entry.operation) for entry in changed.metadata.managed_fields} >= {("two", "Apply")}


def test_a_list_comes_in_pages_and_by_selector(v1: CoreV1Api, namespace: str) -> None:
    for number in range(5):
        v1.create_namespaced_config_map(namespace, config_map(f"p{number}", labels={"odd": str(number % 2)}))
    seen, token = [], None
    while token != "":
        page = v1.list_namespaced_config_map(namespace, label_selector="odd", limit=2, _continue=token or "")
        seen += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert seen == [f"p{number}" for number in range(5)]
    odd = v1.list_namespaced_config_map(namespace, label_selector="odd in (1)")
    assert [item.metadata.name for item in odd.items] == ["p1", "p3"]
    one = v1.list_namespaced_config_map(namespace, field_selector="metadata.name=p4")
    assert [item.metadata.name for item in one.items] == ["p4"]
    v1.delete_collection_namespaced_config_map(namespace, label_selector="odd=1")
    assert {i.metadata.name for i in v1.list_namespaced_config_map(namespace, label_selector="odd").items} == {
        "p0",
        "p2",
        "p4",
    }


def test_a_watch_tells_every_change_in_order(v1: CoreV1Api, namespace: str) -> None:
    start = v1.list_namespaced_config_map(namespace).metadata.resource_version
    v1.create_namespaced_config_map(namespace, config_map("w", labels={"watched": "1"}))
    v1.patch_namespaced_config_map("w", namespace, {"data": {"k": "v"}})
    v1.delete_namespaced_config_map("w", namespace)
    events = watch.Watch().stream(
        v1.list_namespaced_config_map, namespace, resource_version=start, label_selector="watched", timeout_seconds=2
    )
    assert [(event["type"], event["object"].data) for event in events] == [
        ("ADDED", None),
        ("MODIFIED", {"k": "v"}),
        ("DELETED", {"k": "v"}),
    ]


def test_the_informer_keeps_a_copy(v1: CoreV1Api, namespace: str) -> None:
    informer = SharedInformer(v1.list_namespaced_config_map, namespace=namespace, label_selector="informed")
    told: list[tuple[str, str]] = []
    for kind in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(kind, lambda obj, kind=kind: told.append((kind, obj.metadata.name)))
    v1.create_namespaced_config_map(namespace, config_map("before", labels={"informed": "1"}))
    informer.start()
    try:
        eventually(lambda: ("ADDED", "before") in told, "the informer has listed")
        v1.create_namespaced_config_map(namespace, config_map("after", labels={"informed": "1"}))
        eventually(lambda: ("ADDED", "after") in told, "the informer watches")
        v1.patch_namespaced_config_map("after", namespace, {"data": {"k": "v"}})
        v1.delete_namespaced_config_map("before", namespace)
        eventually(lambda: told[2:] == [("MODIFIED", "after"), ("DELETED", "before")], "changes arrive in order")
        assert [item.data for item in informer.cache.list()] == [{"k": "v"}]
    finally:
        informer._stop_event.set()
        v1.create_namespaced_config_map(namespace, config_map("last", labels={"informed": "1"}))
        informer.stop()


def test_the_dynamic_client_finds_kinds_by_discovery(api: client.ApiClient, namespace: str) -> None:
    dynamic = DynamicClient(api)
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    maps.create(namespace=namespace, body={"metadata": {"name": "dyn"}, "data": {"a": "1"}})
    maps.patch(namespace=namespace, name="dyn", body={"data": {"b": "2"}}, content_type="application/merge-patch+json")
    applied = dynamic.server_side_apply(
        maps,
        namespace=namespace,
        name="dyn",
        body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dyn"}, "data": {"c": "3"}},
        field_manager="dyn",
    )
    assert applied.data.to_dict() == {"a": "1", "b": "2", "c": "3"}
    seen = maps.watch(namespace=namespace, field_selector="metadata.name=dyn", timeout=1)
    assert [(event["type"], event["object"].metadata.name) for event in seen] == [("ADDED", "dyn")]
    sets = dynamic.resources.get(api_version="apps/v1", kind="ReplicaSet")
    sets.create(namespace=namespace, body=api.sanitize_for_serialization(_replica_set()))
    scaled = sets.scale.patch(
        namespace=namespace, name="rs", body={"spec": {"replicas": 0}}, content_type="application/merge-patch+json"
    )
    assert scaled.kind == "Scale"
    assert maps.delete(namespace=namespace, name="dyn").status == "Success"


def test_what_is_not_given_is_filled_in_as_the_models_demand(v1: CoreV1Api, namespace: str) -> None:
    """The client refuses answers without what its models require."""
    now = datetime.now(UTC)
    reference = client.V1ObjectReference(kind="ConfigMap", name="a", namespace=namespace)
    event = client.CoreV1Event(
        metadata=V1ObjectMeta(name="e"), involved_object=reference, reason="Tried", type="Normal", first_timestamp=now
    )
    assert v1.create_namespaced_event(namespace, event).reason == "Tried"
    assert v1.read_namespace(namespace).status.phase == "Active"
    for node in v1.list_node().items:
        assert node.status.node_info.kubelet_version.startswith("v1.")
        assert {address.type for address in node.status.addresses} >= {"InternalIP", "Hostname"}


def test_exec_logs_and_port_forward_reach_the_container(v1: CoreV1Api, web: str) -> None:
    def run(*command: str, **options: Any) -> Any:
        return stream(
            v1.connect_get_namespaced_pod_exec, "web", web, command=list(command),
            stdin=False, stdout=True, stderr=True, tty=False, **options,
        )  # fmt: skip

    assert run("echo", "hi") == "hi\n"
    running = run("sh", "-c", "echo out; echo err >&2; exit 5", _preload_content=False)
    running.run_forever(timeout=60)
    assert (running.read_stdout(), running.read_stderr(), running.returncode) == ("out\n", "err\n", 5)
    assert v1.read_namespaced_pod_log("web", web) == "ready\n"
    forwarded = portforward(v1.connect_get_namespaced_pod_portforward, "web", web, ports="8080")
    socket = forwarded.socket(8080)
    socket.settimeout(60)
    socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    received = b""
    while more := socket.recv(1000):
        received += more
    socket.close()
    assert received.endswith(b"hello\n")


def test_a_pod_is_watched_until_it_has_finished(v1: CoreV1Api, namespace: str) -> None:
    container = client.V1Container(name="c", image="busybox:1.35", command=["true"])
    spec = client.V1PodSpec(restart_policy="Never", containers=[container])
    start = v1.list_namespaced_pod(namespace).metadata.resource_version
    v1.create_namespaced_pod(namespace, client.V1Pod(metadata=V1ObjectMeta(name="once"), spec=spec))
    phases = []
    for event in watch.Watch().stream(
        v1.list_namespaced_pod,
        namespace,
        resource_version=start,
        field_selector="metadata.name=once",
        timeout_seconds=120,
    ):
        phases.append(event["object"].status.phase)
        if phases[-1] == "Succeeded":
            break
    assert (phases[0], phases[-1]) == ("Pending", "Succeeded")
    gone = v1.delete_namespaced_pod("once", namespace, grace_period_seconds=0)
    assert gone.metadata.name == "once"


def test_of_two_who_take_a_lease_one_gets_it(api: client.ApiClient, namespace: str) -> None:
    leases = client.CoordinationV1Api(api)
    taken: list[str] = []
    answers: list[int] = []
    both = threading.Barrier(2)

    def candidate(name: str) -> None:
        both.wait()
        spec = client.V1LeaseSpec(holder_identity=name, lease_duration_seconds=15, renew_time=datetime.now(UTC))
        try:
            leases.create_namespaced_lease(namespace, client.V1Lease(metadata=V1ObjectMeta(name="leader"), spec=spec))
        except client.ApiException as error:
            answers.append(error.status)
        else:
            answers.append(201)
            taken.append(name)

    threads = [threading.Thread(target=candidate, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 409]
    assert leases.read_namespaced_lease("leader", namespace).spec.holder_identity == taken[0]
