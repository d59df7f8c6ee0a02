"""One object that cannot be written (an admission policy, a quota, a rule it no longer fits) holds up no other."""

import pytest
from sampan_api import meta
from sampan_api.client import CONFIGMAPS, NODES, SERVICEACCOUNTS, DeleteOptions
from sampan_api.errors import Forbidden, NotFound
from sampan_master.controllers import ControllersConfig, run
from sampan_master.controllers.node_health import UNREACHABLE


class Refusing:
    """A client whose writes of the objects `names` are refused, for ever."""

    def __init__(self, client, *names):
        self._client, self._names = client, names

    def __getattr__(self, name):
        return getattr(self._client, name)

    def _check(self, name):
        if name in self._names:
            raise Forbidden(f'"{name}" is forbidden: a policy')

    async def create(self, resource, obj, *arguments):
        self._check(meta.name(obj))
        return await self._client.create(resource, obj, *arguments)

    async def update(self, resource, obj, *arguments):
        self._check(meta.name(obj))
        return await self._client.update(resource, obj, *arguments)

    async def patch(self, resource, name, *arguments, **options):
        self._check(name)
        return await self._client.patch(resource, name, *arguments, **options)

    async def delete(self, resource, name, *arguments):
        self._check(name)
        return await self._client.delete(resource, name, *arguments)


def control(cluster, *refused, **config):
    cluster.spawn(run(Refusing(cluster.client, *refused), cluster.clock, ControllersConfig(**config)))


async def silence(cluster, seconds, *alive):
    for _ in range(seconds // 10):
        for name in alive:
            await cluster.heartbeat(name)
        await cluster.clock.advance(10)


async def is_emptied(cluster, name):
    node = await cluster.client.get(NODES, name)
    return (UNREACHABLE, "NoExecute") in {(t["key"], t["effect"]) for t in node["spec"].get("taints") or []}


async def test_other_nodes_of_the_zone_are_emptied(timeless):
    alive = ("n1", "n2", "n3")
    for name in (*alive, "bad", "good"):
        await timeless.node(name)
    control(timeless, "bad")
    # What the bad node says of itself is written by somebody else, so that it is first in turn.
    status = {"status": {"conditions": timeless.conditions("Unknown")}}
    await timeless.clock.advance(1)
    await timeless.client.patch(NODES, "bad", status, subresource="status")
    await silence(timeless, 120, *alive)
    assert not await is_emptied(timeless, "bad")
    assert await is_emptied(timeless, "good")


@pytest.mark.parametrize("refused", ["pod", "node"])
async def test_other_pods_of_a_silent_node_are_unready(timeless, refused):
    for name in ("n1", "n2", "n3"):
        await timeless.node(name)
    for name in ("a-pod", "pod", "z-pod"):
        await timeless.set_ready(await timeless.pod(name, node="n1"))
    control(timeless, {"pod": "pod", "node": "n1"}[refused])
    await timeless.clock.advance(1)
    await timeless.client.patch(
        NODES, "n1", {"status": {"conditions": timeless.conditions("Unknown")}}, subresource="status"
    )
    await silence(timeless, 20, "n2", "n3")
    ready = {meta.name(pod): meta.condition(pod, "Ready")["status"] for pod in await timeless.pods()}
    assert ready == {"a-pod": "False", "pod": "True" if refused == "pod" else "False", "z-pod": "False"}


async def test_other_pods_of_a_node_are_evicted(timeless):
    await timeless.node("n1")
    for name in ("a-pod", "pod", "z-pod"):
        await timeless.pod(name, node="n1")
    control(timeless, "pod")
    await timeless.clock.advance(1)
    await timeless.client.patch(NODES, "n1", {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}})
    await silence(timeless, 20, "n1")
    assert {meta.name(pod): meta.is_deleting(pod) for pod in await timeless.pods()} == {
        "a-pod": True,
        "pod": False,
        "z-pod": True,
    }


async def test_other_dependents_are_orphaned_and_the_owner_waits(timeless):
    owner = await timeless.client.create(CONFIGMAPS, {"metadata": {"name": "owner"}}, "default")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": meta.uid(owner)}
    for name in ("a", "b", "c"):
        metadata = {"name": name, "ownerReferences": [reference]}
        await timeless.client.create(CONFIGMAPS, {"metadata": metadata}, "default")
    control(timeless, "b")
    await timeless.clock.advance(1)
    await timeless.client.delete(CONFIGMAPS, "owner", "default", DeleteOptions(propagation="Orphan"))
    await timeless.clock.advance(20)
    owned = {meta.name(one): bool(meta.owner_references(one)) for one in await timeless.list(CONFIGMAPS, "default")}
    assert owned == {"owner": False, "a": False, "b": True, "c": False}


async def exists(cluster, resource, name, namespace):
    try:
        await cluster.client.get(resource, name, namespace)
    except NotFound:
        return False
    return True


async def test_a_namespace_gets_its_certificate_though_its_account_is_refused(timeless):
    control(timeless, "default", root_ca_pem="PEM")
    await timeless.namespace("team")
    await timeless.clock.advance(20)
    assert not await exists(timeless, SERVICEACCOUNTS, "default", "team")
    assert await exists(timeless, CONFIGMAPS, "kube-root-ca.crt", "team")
