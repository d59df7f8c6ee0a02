"""kubernetes_asyncio, lightkube and kr8s: what each of them asks in its own way."""

from __future__ import annotations

import asyncio
import threading

import kr8s
import pytest
from kr8s.asyncio.objects import ConfigMap as Kr8sConfigMap
from kr8s.asyncio.objects import Pod as Kr8sPod
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.dynamic import DynamicClient
from kubernetes_asyncio.stream import WsApiClient
from lab import Cluster, eventually
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.models.apps_v1 import ReplicaSetSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import ReplicaSet
from lightkube.resources.core_v1 import ConfigMap, Node, Pod
from lightkube.types import CascadeType, PatchType

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("strangers")]


async def test_kubernetes_asyncio_writes_watches_and_deletes(cluster: Cluster, namespace: str) -> None:
    async with await config.new_client_from_config(config_file=cluster.kubeconfig) as api:
        v1 = client.CoreV1Api(api)
        metadata = client.V1ObjectMeta(name="a", labels={"w": "1"})
        made = await v1.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=metadata, data={"x": "1"}))
        await v1.patch_namespaced_config_map("a", namespace, {"data": {"y": "2"}})
        await v1.patch_namespaced_config_map(
            "a", namespace, [{"op": "remove", "path": "/data/x"}], _content_type="application/json-patch+json"
        )
        await v1.delete_namespaced_config_map("a", namespace)
        before = str(int(made.metadata.resource_version) - 1)
        stream = watch.Watch().stream(
            v1.list_namespaced_config_map, namespace, label_selector="w=1", resource_version=before, timeout_seconds=2
        )
        async with stream as events:
            seen = [(event["type"], event["object"].data) async for event in events]
    assert seen == [
        ("ADDED", {"x": "1"}),
        ("MODIFIED", {"x": "1", "y": "2"}),
        ("MODIFIED", {"y": "2"}),
        ("DELETED", {"y": "2"}),
    ]


async def test_kubernetes_asyncio_has_a_dynamic_client_with_server_side_apply(cluster: Cluster, namespace: str) -> None:
    async with (
        await config.new_client_from_config(config_file=cluster.kubeconfig) as api,
        DynamicClient(api) as dynamic,
    ):
        maps = await dynamic.resources.get(api_version="v1", kind="ConfigMap")
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dyn"}, "data": {"c": "3"}}
        applied = await dynamic.server_side_apply(maps, namespace=namespace, name="dyn", body=body, field_manager="dyn")
        assert applied.data.to_dict() == {"c": "3"}
        assert [item.metadata.name for item in (await maps.get(namespace=namespace, limit=1)).items]


async def test_kubernetes_asyncio_runs_a_command(cluster: Cluster, web: str) -> None:
    await config.load_kube_config(config_file=cluster.kubeconfig)
    async with WsApiClient() as api:
        said = await client.CoreV1Api(api).connect_get_namespaced_pod_exec(
            "web", web, command=["echo", "hi"], stderr=True, stdin=False, stdout=True, tty=False
        )
    assert said == "hi\n"


@pytest.fixture
def lightkube(cluster: Cluster, namespace: str) -> Client:
    return Client(config=KubeConfig.from_file(cluster.kubeconfig), namespace=namespace, field_manager="lightkube")


def test_lightkube_creates_patches_applies_and_deletes(lightkube: Client) -> None:
    with lightkube:
        lightkube.create(ConfigMap(metadata=ObjectMeta(name="lk", labels={"l": "1"}), data={"a": "1"}))
        merged = lightkube.patch(ConfigMap, "lk", {"data": {"b": "2"}}, patch_type=PatchType.MERGE)
        assert merged.data == {"a": "1", "b": "2"}
        removed = lightkube.patch(ConfigMap, "lk", [{"op": "remove", "path": "/data/a"}], patch_type=PatchType.JSON)
        assert removed.data == {"b": "2"}
        applied = lightkube.apply(ConfigMap(metadata=ObjectMeta(name="lk"), data={"c": "3"}))
        assert applied.data == {"b": "2", "c": "3"}
        with pytest.raises(ApiError) as refused:
            lightkube.apply(ConfigMap(metadata=ObjectMeta(name="lk"), data={"c": "4"}), field_manager="other")
        assert (refused.value.status.code, refused.value.status.reason) == (409, "Conflict")
        assert [found.metadata.name for found in lightkube.list(ConfigMap, labels={"l": "1"})] == ["lk"]
        lightkube.delete(ConfigMap, "lk")
        with pytest.raises(ApiError) as missing:
            lightkube.get(ConfigMap, "lk")
        assert missing.value.status.reason == "NotFound"


def test_lightkube_waits_for_a_pod_and_scales_a_set(lightkube: Client) -> None:
    labels = {"app": "lk"}
    container = Container(name="c", image="busybox:1.35", command=["sleep", "3600"])
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=[container], terminationGracePeriodSeconds=0)
    )
    spec = ReplicaSetSpec(replicas=1, selector=LabelSelector(matchLabels=labels), template=template)
    with lightkube:
        lightkube.create(ReplicaSet(metadata=ObjectMeta(name="lk"), spec=spec))
        _, pod = next(lightkube.watch(Pod, labels=labels, server_timeout=120))
        assert pod.metadata.ownerReferences[0].name == "lk"
        ready = lightkube.wait(Pod, pod.metadata.name, for_conditions=["Ready"])
        assert ready.status.phase == "Running"
        scale = lightkube.patch(ReplicaSet.Scale, "lk", {"spec": {"replicas": 0}})
        assert not scale.spec.replicas, "Kubernetes leaves a 0 out"
        lightkube.delete(ReplicaSet, "lk", cascade=CascadeType.FOREGROUND)


async def test_lightkube_asynchronously_lists_in_pages(cluster: Cluster) -> None:
    async with AsyncClient(config=KubeConfig.from_file(cluster.kubeconfig)) as lightkube:
        nodes = [node.metadata.name async for node in lightkube.list(Node, chunk_size=1)]
    assert nodes == ["node1", "node2", "node3"]


def test_lightkube_runs_a_command_and_reads_the_log(cluster: Cluster, web: str) -> None:
    """Its thread that reads the WebSocket may outlive exec and the socket, and would read from the next one that gets
    the number of its descriptor: so the test waits for its end."""
    before = set(threading.enumerate())
    with Client(config=KubeConfig.from_file(cluster.kubeconfig), namespace=web) as lightkube:
        assert lightkube.exec("web", command=["echo", "hi"], stdout=True).stdout == "hi\n"
        eventually(lambda: set(threading.enumerate()) <= before, "the reader has ended")
        assert list(lightkube.log("web")) == ["ready\n"]


@pytest.mark.filterwarnings("ignore:Kubernetes version v1.36.2 is not supported")
async def test_kr8s_creates_labels_waits_execs_and_deletes(cluster: Cluster, namespace: str) -> None:
    api = await kr8s.asyncio.api(kubeconfig=cluster.kubeconfig, namespace=namespace)
    container = {"name": "c", "image": "busybox:1.35", "command": ["sh", "-c", "echo ready; sleep 3600"]}
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kr", "namespace": namespace},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    pod = await Kr8sPod(manifest, api=api)
    await pod.create()
    await pod.wait("condition=Ready", timeout=120)
    await pod.label({"x": "y"})
    assert [found.name async for found in api.get("pods", label_selector={"x": "y"})] == ["kr"]
    assert (await pod.exec(["echo", "hi"])).stdout == b"hi\n"
    while (said := [line async for line in pod.logs()]) == []:
        await asyncio.sleep(0.1)
    assert said == ["ready"]
    await pod.delete()
    await pod.wait("delete", timeout=120)
    assert not await pod.exists()


@pytest.mark.filterwarnings("ignore:Kubernetes version v1.36.2 is not supported")
async def test_kr8s_watches_and_finds_kinds_by_any_name(cluster: Cluster, namespace: str) -> None:
    api = await kr8s.asyncio.api(kubeconfig=cluster.kubeconfig, namespace=namespace)
    made = await Kr8sConfigMap({"metadata": {"name": "km", "namespace": namespace}, "data": {"a": "1"}}, api=api)
    await made.create()
    for name in ("configmaps", "cm", "ConfigMap", "configmap.v1"):
        assert "km" in [found.name async for found in api.get(name)]

    async def first_change() -> str:
        async for event, found in api.watch("configmaps", field_selector="metadata.name=km"):
            if event == "MODIFIED":
                return str(found.data["a"])
        return ""

    watching = asyncio.create_task(first_change())
    while not watching.done():
        await made.patch(
            {"data": {"a": "2"}, "metadata": {"annotations": {"n": str(asyncio.get_running_loop().time())}}}
        )
        await asyncio.wait({watching}, timeout=0.5)
    assert await watching == "2"
