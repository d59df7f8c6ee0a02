"""What every living namespace has: its default account and the root certificate."""

import asyncio
import contextlib

import pytest
from cluster import eventually
from faults import Scenario, behind, cut_at_every_event, killed_at_every_write, unclear_at_every_write
from sampan_api import meta
from sampan_api.client import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS
from sampan_api.errors import Forbidden, NotFound
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.namespace_content import NamespaceContentController

WATCHED = [NAMESPACES, SERVICEACCOUNTS, CONFIGMAPS]


async def start(client, clock):
    informers = Informers(client, clock, WATCHED)
    controller = NamespaceContentController(client, clock, informers, "PEM")
    async with asyncio.TaskGroup() as tasks:
        for informer in informers.all:
            tasks.create_task(informer.run())
        await informers.synced()
        tasks.create_task(controller.run())


async def make_namespace(cluster, name):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await cluster.client.create(NAMESPACES, namespace)


def is_complete(cluster, name):
    async def check():
        try:
            await cluster.client.get(SERVICEACCOUNTS, "default", name)
            published = await cluster.client.get(CONFIGMAPS, "kube-root-ca.crt", name)
        except NotFound:
            return False
        described = meta.annotations(published).get("kubernetes.io/description", "")
        return published["data"] == {"ca.crt": "PEM"} and described.startswith("Contains a CA bundle")

    return check


async def test_every_namespace_gets_its_account_and_the_root_certificate_and_gets_them_back(cluster):
    cluster.spawn(start(cluster.client, cluster.clock))
    await make_namespace(cluster, "team")
    await eventually(is_complete(cluster, "team"))
    await cluster.client.delete(SERVICEACCOUNTS, "default", "team")
    await eventually(is_complete(cluster, "team"))
    for change in ({"data": {"ca.crt": "forged"}}, {"data": {"more": "x"}}, {"metadata": {"annotations": None}}):
        await cluster.client.patch(CONFIGMAPS, "kube-root-ca.crt", change, "team")
        await eventually(is_complete(cluster, "team"))
    await cluster.client.delete(CONFIGMAPS, "kube-root-ca.crt", "team")
    await eventually(is_complete(cluster, "team"))


class Quota:
    """A client that may create nothing while `full`."""

    def __init__(self, client):
        self._client, self.full = client, True

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def create(self, resource, *arguments):
        if self.full:
            raise Forbidden("exceeded quota: q, requested: 1, used: 0, limited: 0")
        return await self._client.create(resource, *arguments)


async def test_a_quota_that_is_raised_later_is_waited_for(timeless):
    client = Quota(timeless.client)
    timeless.spawn(start(client, timeless.clock))
    await make_namespace(timeless, "team")
    await timeless.clock.advance(20)
    assert not await is_complete(timeless, "team")()
    client.full = False
    await timeless.clock.advance(20)
    assert await is_complete(timeless, "team")()


async def team_comes(cluster):
    await make_namespace(cluster, "team")


async def team_breaks_it(cluster):
    with contextlib.suppress(NotFound):
        await cluster.client.delete(SERVICEACCOUNTS, "default", "team")
    with contextlib.suppress(NotFound):
        await cluster.client.patch(CONFIGMAPS, "kube-root-ca.crt", {"data": {"ca.crt": "forged"}}, "team")


async def end(cluster):
    return {name: await is_complete(cluster, name)() for name in ("default", "kube-node-lease", "team")}


SCENARIO = Scenario(start=start, quiet=4, steps=(team_comes, team_breaks_it), end=end)


async def test_killed_at_every_write():
    assert await killed_at_every_write(SCENARIO) == 8
    await killed_at_every_write(SCENARIO, late=True)


async def test_every_answer_in_turn_is_unclear():
    await unclear_at_every_write(SCENARIO)


@pytest.mark.parametrize("resource", WATCHED, ids=lambda r: r.plural)
async def test_a_cache_that_lags_and_watches_that_break(resource):
    await behind(SCENARIO, resource, 2)
    await cut_at_every_event(SCENARIO, resource)
    await cut_at_every_event(SCENARIO, resource, expired=True)
