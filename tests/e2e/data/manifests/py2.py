"""py2.py CLIENT: one step of the recorded commands with another Python client."""

import asyncio
import sys

NAMESPACE = "ct"


def lightkube():
    from lightkube import Client, KubeConfig
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap, Pod

    client = Client(config=KubeConfig.from_file("kc.yaml"))
    print([pod.metadata.name for pod in client.list(Pod, namespace=NAMESPACE)][:2])
    client.apply(ConfigMap(metadata=ObjectMeta(name="lk", namespace=NAMESPACE), data={"a": "b"}), field_manager="lk")
    client.patch(ConfigMap, "lk", {"data": {"a": "c"}}, namespace=NAMESPACE)
    client.delete(ConfigMap, "lk", namespace=NAMESPACE)


def kr8s():
    import kr8s

    api = kr8s.api(kubeconfig="kc.yaml")
    print([pod.name for pod in api.get("pods", namespace=NAMESPACE)][:2])
    web = next(iter(api.get("pods", "web", namespace=NAMESPACE)))
    print(web.ready())
    print(web.exec(["echo", "kr"]).stdout)
    print(list(web.logs(tail_lines=1)))


async def kubernetes_asyncio():
    from kubernetes_asyncio import client, config, watch
    from kubernetes_asyncio.stream import WsApiClient

    await config.load_kube_config("kc.yaml")
    async with client.ApiClient() as api:
        v1 = client.CoreV1Api(api)
        print([pod.metadata.name for pod in (await v1.list_namespaced_pod(NAMESPACE)).items][:2])
        async with watch.Watch().stream(v1.list_namespaced_pod, NAMESPACE, timeout_seconds=1) as events:
            async for event in events:
                print(event["type"], event["object"].metadata.name)
                break
    async with WsApiClient() as api:
        print(
            await client.CoreV1Api(api).connect_get_namespaced_pod_exec(
                "web", NAMESPACE, command=["echo", "as"], stderr=True, stdin=False, stdout=True, tty=False
            )
        )


if sys.argv[1] == "asyncio":
    asyncio.run(kubernetes_asyncio())
else:
    {"lightkube": lightkube, "kr8s": kr8s}[sys.argv[1]]()
