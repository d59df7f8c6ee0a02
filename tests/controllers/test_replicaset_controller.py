"""The loop of ReplicaSets and ReplicationControllers on the real registry, at peace. `test_replicaset_faults` has the
faults."""

import asyncio

import pytest
from cluster import eventually
from faults import settle
from replicas import owner_of, start
from sampan_api import meta
from sampan_api.client import (
    EVENTS,
    NAMESPACES,
    PODS,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    DeleteOptions,
    ObjectList,
    PatchType,
)
from sampan_api.errors import Forbidden, InternalError
from sampan_master.controllers import replicaset_controller
from sampan_master.controllers.informers import Informers
from sampan_master.controllers.pod_facts import is_active
from sampan_master.controllers.replica_kinds import REPLICA_SET
from sampan_master.controllers.replicaset_controller import ReplicaSetController


class Refusing:
    """A client whose creations or deletions of pods are refused while `refusal` is set."""

    def __init__(self, client, verb):
        self._client, self._verb = client, verb
        self.refusal, self.asked = None, 0

    def __getattr__(self, name):
        call = getattr(self._client, name)

        async def maybe(resource, *arguments, **options):
            if name == self._verb and resource == PODS:
                self.asked += 1
                if self.refusal is not None:
                    raise self.refusal
            return await call(resource, *arguments, **options)

        return call if name == "watch" else maybe


def control(cluster, client=None):
    return cluster.spawn(start(client or cluster.client, cluster.clock))


async def active(cluster):
    return [pod for pod in await cluster.pods(None) if is_active(pod)]


async def patch(cluster, name, change, resource=REPLICASETS):
    await cluster.client.patch(resource, name, change, "default")


async def scale(cluster, name, replicas, resource=REPLICASETS):
    await patch(cluster, name, {"spec": {"replicas": replicas}}, resource)


async def status(cluster, name="web", resource=REPLICASETS):
    return (await cluster.client.get(resource, name, "default"))["status"]


async def told(cluster):
    return [(e["type"], e["reason"], e["message"], e["source"]["component"]) for e in await cluster.list(EVENTS)]


async def test_scales_up_and_down_and_tells(timeless):
    control(timeless)
    await timeless.replica_set("web", 5)
    await settle(timeless)
    names = sorted(map(meta.name, await active(timeless)))
    assert len(names) == 5
    assert {(name[:4], len(name)) for name in names} == {("web-", 9)}
    me = "replicaset-controller"
    events = sorted(("Normal", "SuccessfulCreate", f"Created pod: {name}", me) for name in names)
    assert sorted(await told(timeless)) == events
    await scale(timeless, "web", 2)
    await settle(timeless)
    left = set(map(meta.name, await active(timeless)))
    assert len(left) == 2
    gone = [("Normal", "SuccessfulDelete", f"Deleted pod: {name}", me) for name in set(names) - left]
    assert sorted(await told(timeless)) == sorted(events + gone)
    assert await status(timeless) == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "terminatingReplicas": 0,
        "observedGeneration": 2,
    }


async def test_a_replication_controller_does_the_same_in_its_own_name(timeless):
    control(timeless)
    await timeless.pod("orphan", labels={"app": "web"})
    await timeless.replication_controller("web", 3)
    await settle(timeless)
    pods = await active(timeless)
    assert "orphan" in map(meta.name, pods)
    owner = {"apiVersion": "v1", "kind": "ReplicationController", "controller": True, "blockOwnerDeletion": True}
    controllers = [meta.controller_of(pod) for pod in pods]
    assert [owner.items() <= controller.items() for controller in controllers] == [True] * 3
    assert {(reason, component) for _, reason, _, component in await told(timeless)} == {
        ("SuccessfulCreate", "replication-controller")
    }
    await scale(timeless, "web", 1, REPLICATIONCONTROLLERS)
    await settle(timeless)
    assert len(await active(timeless)) == 1
    assert await status(timeless, resource=REPLICATIONCONTROLLERS) == {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "observedGeneration": 2,
    }


async def test_a_set_and_a_controller_of_one_name_and_selector_share_nothing(timeless):
    control(timeless)
    await timeless.replication_controller("web", 2)
    await timeless.replica_set("web", 3)
    await settle(timeless)
    owners = [meta.controller_of(pod)["kind"] for pod in await active(timeless)]
    assert sorted(owners) == ["ReplicaSet"] * 3 + ["ReplicationController"] * 2


async def test_ready_pods_are_available_after_min_ready_seconds(timeless):
    control(timeless)
    await timeless.replica_set("web", 3, minReadySeconds=100)
    await settle(timeless)
    for pod in await active(timeless):
        await timeless.set_ready(pod)
        await settle(timeless, quiet=8.0)
    seen = await status(timeless)
    assert (seen["readyReplicas"], seen.get("availableReplicas")) == (3, None)
    available = []
    for _ in range(13):
        await timeless.clock.advance(8.0)
        available.append((await status(timeless)).get("availableReplicas", 0))
    # Ready at 0, 8 and 16; 24 have gone by.
    assert available == [0] * 9 + [1, 2, 3, 3]


async def test_a_deleted_pod_is_replaced_while_it_still_terminates(timeless):
    control(timeless)
    await timeless.node("n1")
    await timeless.replica_set("web", 2)
    await settle(timeless)
    pod = (await active(timeless))[0]
    binding = {"metadata": {"name": meta.name(pod), "namespace": "default"}, "target": {"name": "n1"}}
    await timeless.client.create(PODS, binding | {"apiVersion": "v1", "kind": "Binding"}, "default", "binding")
    await timeless.client.delete(PODS, meta.name(pod), "default")
    await settle(timeless)
    assert (len(await active(timeless)), len(await timeless.pods())) == (2, 3)
    seen = await status(timeless)
    assert (seen["replicas"], seen["terminatingReplicas"]) == (2, 1)
    await timeless.client.delete(PODS, meta.name(pod), "default", DeleteOptions(grace_seconds=0))
    await settle(timeless)
    assert (await status(timeless))["terminatingReplicas"] == 0


async def test_pods_that_have_ended_are_replaced_and_stay(timeless):
    control(timeless)
    await timeless.replica_set("web", 2)
    await settle(timeless)
    pod = (await active(timeless))[0]
    await timeless.client.patch(PODS, meta.name(pod), {"status": {"phase": "Failed"}}, "default", subresource="status")
    await settle(timeless)
    assert (len(await active(timeless)), len(await timeless.pods())) == (2, 3)


async def test_orphans_are_adopted_and_relabelled_pods_released(timeless):
    control(timeless)
    orphan = await timeless.pod("orphan", labels={"app": "web"})
    await timeless.replica_set("web", 2)
    await settle(timeless)
    adopted = await timeless.client.get(PODS, "orphan", "default")
    assert meta.uid(adopted) == meta.uid(orphan)
    assert meta.controller_of(adopted)["name"] == "web"
    await patch(timeless, "orphan", {"metadata": {"labels": {"app": "other"}}}, PODS)
    await settle(timeless)
    assert not meta.owner_references(await timeless.client.get(PODS, "orphan", "default"))
    assert len(await active(timeless)) == 3


async def test_an_adopted_pod_keeps_its_other_owners(timeless):
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c-uid"}
    await timeless.pod("orphan", labels={"app": "web"}, owners=[other])
    control(timeless)
    await timeless.replica_set("web", 1)
    await settle(timeless)
    references = meta.owner_references(await timeless.client.get(PODS, "orphan", "default"))
    assert [reference["name"] for reference in references] == ["c", "web"]
    await patch(timeless, "orphan", {"metadata": {"labels": {"app": "other"}}}, PODS)
    await settle(timeless)
    assert meta.owner_references(await timeless.client.get(PODS, "orphan", "default")) == [other]


async def test_a_pod_that_loses_another_kind_of_controller_is_adopted(timeless):
    control(timeless)
    job = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j-uid", "controller": True}
    await timeless.replica_set("web", 1)
    await settle(timeless)
    await timeless.pod("foreign", labels={"app": "web"}, owners=[job])
    await settle(timeless)
    assert len(await active(timeless)) == 2
    await patch(timeless, "foreign", {"metadata": {"ownerReferences": None}}, PODS)
    await settle(timeless)
    # It was adopted, and then there was one too many.
    (pod,) = await active(timeless)
    assert owner_of(pod)


async def test_sets_with_overlapping_selectors_leave_each_others_pods_alone(timeless, caplog):
    control(timeless)
    for name in ("web", "api"):
        template = {"metadata": {"labels": {"tier": "front"}}}
        template["spec"] = {"containers": [{"name": "c", "image": "busybox"}]}
        await timeless.replica_set(name, 3, selector={"matchLabels": {"tier": "front"}}, template=template)
    await timeless.pod("orphan", labels={"tier": "front"})
    await settle(timeless)
    owners = sorted(meta.controller_of(pod)["name"] for pod in await active(timeless))
    assert owners == ["api"] * 3 + ["web"] * 3
    await timeless.pod("another", labels={"tier": "front"})
    await settle(timeless)
    assert "more than one ReplicaSet selects pod default/another: api, web" in caplog.text
    assert len(await active(timeless)) == 6


async def test_a_set_that_is_being_deleted_makes_deletes_and_adopts_nothing(timeless):
    control(timeless)
    await timeless.replica_set("web", 3)
    await settle(timeless)
    foreground = DeleteOptions(propagation="Foreground")
    await timeless.client.delete(REPLICASETS, "web", "default", foreground)
    pods = await active(timeless)
    await timeless.client.delete(PODS, meta.name(pods[0]), "default", DeleteOptions(grace_seconds=0))
    await patch(timeless, meta.name(pods[1]), {"metadata": {"labels": {"app": "other"}}}, PODS)
    await timeless.pod("orphan", labels={"app": "web"})
    await scale(timeless, "web", 0)
    await settle(timeless)
    assert {meta.name(pod): bool(owner_of(pod)) for pod in await active(timeless)} == {
        meta.name(pods[1]): True,
        meta.name(pods[2]): True,
        "orphan": False,
    }
    assert (await status(timeless))["replicas"] == 1


@pytest.mark.parametrize(
    ("verb", "before", "after", "reason", "condition", "event"),
    [
        ("create", 0, 2, "FailedCreate", "exceeded quota", "Error creating: exceeded quota"),
        ("delete", 2, 0, "FailedDelete", "unable to delete pods: exceeded quota", "Error deleting: exceeded quota"),
    ],
    ids=["create", "delete"],
)
async def test_a_refusal_is_a_condition_and_an_event_until_it_passes(
    timeless, verb, before, after, reason, condition, event
):
    refusing = Refusing(timeless.client, verb)
    control(timeless, refusing)
    await timeless.replica_set("web", before)
    await settle(timeless)
    refusing.refusal = Forbidden("exceeded quota")
    since = timeless.clock.now()
    await scale(timeless, "web", after)
    await timeless.clock.advance(100)
    (failure,) = (await status(timeless))["conditions"]
    assert (failure["type"], failure["status"], failure["reason"]) == ("ReplicaFailure", "True", reason)
    assert failure["message"] == condition
    assert ("Warning", reason, event, "replicaset-controller") in await told(timeless)
    # The pauses between the tries grow.
    assert 10 < refusing.asked < 60
    refusing.refusal = None
    await settle(timeless, quiet=40)
    assert len(await active(timeless)) == after
    assert "conditions" not in await status(timeless)
    assert timeless.clock.now() > since


async def test_creations_go_in_batches_that_double_and_stop_at_an_error(timeless):
    class Counting:
        """Refuses from the sixth creation on."""

        calls, under_way, batches = 0, [], []

        def __getattr__(self, name):
            return getattr(timeless.client, name)

        async def create(self, resource, *arguments, **options):
            if resource != PODS:
                return await timeless.client.create(resource, *arguments, **options)
            self.calls += 1
            refused = self.calls >= 6
            if not self.under_way:
                self.batches.append(0)
            self.batches[-1] += 1
            self.under_way.append(self.calls)
            await timeless.clock.sleep(0.001)
            try:
                if refused:
                    raise Forbidden("no more")
                return await timeless.client.create(resource, *arguments, **options)
            finally:
                self.under_way.pop()

    client = Counting()
    control(timeless, client)
    await timeless.replica_set("web", 100)
    await timeless.clock.advance(1)
    # Of the batch of four the first two came through. Then each try begins again with one.
    assert client.batches[:4] == [1, 2, 4, 1]
    assert set(client.batches[4:]) == {1}
    assert len(await active(timeless)) == 5


async def test_in_a_namespace_that_ends_nothing_is_made_and_nothing_told(timeless):
    refusing = Refusing(timeless.client, "create")
    control(timeless, refusing)
    await timeless.namespace("ends")
    await timeless.replica_set("web", 3, "ends")
    await settle(timeless)
    await timeless.client.delete(NAMESPACES, "ends")
    await timeless.client.delete(PODS, meta.name((await active(timeless))[0]), "ends")
    await settle(timeless)
    # Three were made; every event of the deletion may ask once more, for one only.
    assert len(await active(timeless)) == 2
    assert 4 <= refusing.asked <= 6
    rs = await timeless.client.get(REPLICASETS, "web", "ends")
    assert "conditions" not in rs["status"]
    assert {type_ for type_, *_ in await told(timeless)} == {"Normal"}


async def test_a_pod_that_is_released_at_the_last_moment_is_not_deleted(timeless):
    """Somebody labels a pod otherwise, to look at it in peace, while it is already chosen to be deleted."""

    class Late:
        chosen = None

        def __getattr__(self, name):
            return getattr(timeless.client, name)

        async def delete(self, resource, name, *arguments):
            if self.chosen is None:
                self.chosen = name
                await patch(timeless, name, {"metadata": {"labels": {"app": "debug"}}}, PODS)
            return await timeless.client.delete(resource, name, *arguments)

    client = Late()
    control(timeless, client)
    await timeless.replica_set("web", 3)
    await settle(timeless)
    await scale(timeless, "web", 1)
    await settle(timeless)
    left = {meta.name(pod): owner_of(pod) for pod in await active(timeless)}
    assert left[client.chosen] == ""
    assert len(left) == 2


async def test_a_status_that_meets_another_write_is_written_over_the_newer_version(timeless):
    class Meets:
        met = 0

        def __getattr__(self, name):
            return getattr(timeless.client, name)

        async def update(self, resource, obj, subresource=""):
            self.met += 1
            if self.met == 1:
                await patch(timeless, "web", {"metadata": {"labels": {"a": "b"}}})
            return await timeless.client.update(resource, obj, subresource)

    client = Meets()
    control(timeless, client)
    await timeless.replica_set("web", 2)
    await settle(timeless)
    rs = await timeless.client.get(REPLICASETS, "web", "default")
    assert (meta.labels(rs), rs["status"]["replicas"]) == ({"a": "b"}, 2)


async def test_a_server_that_fails_once_is_asked_for_its_pods_before_more_are_made(timeless):
    class Fails:
        failed, lists = False, 0

        def __getattr__(self, name):
            return getattr(timeless.client, name)

        async def create(self, resource, obj, *arguments):
            made = await timeless.client.create(resource, obj, *arguments)
            if resource == PODS and not self.failed:
                self.failed = True
                raise InternalError("etcdserver: request timed out")
            return made

    control(timeless, Fails())
    await timeless.replica_set("web", 4)
    await settle(timeless)
    assert len(await timeless.pods()) == 4


async def test_the_fullest_node_and_the_cheapest_pod_go_first(timeless):
    for name in ("n1", "n2"):
        await timeless.node(name)
    for name, node in (("a", "n1"), ("b", "n2"), ("c", "n2"), ("cheap", "n1")):
        await timeless.set_ready(await timeless.pod(name, node=node, labels={"app": "web"}))
    cost = {"controller.kubernetes.io/pod-deletion-cost": "-10"}
    await patch(timeless, "cheap", {"metadata": {"annotations": cost}}, PODS)
    control(timeless)
    await timeless.replica_set("web", 4)
    await settle(timeless)
    await scale(timeless, "web", 3)
    await settle(timeless)
    assert {meta.name(pod) for pod in await active(timeless)} == {"a", "b", "c"}
    await scale(timeless, "web", 2)
    await settle(timeless)
    left = {meta.name(pod) for pod in await active(timeless)}
    assert len(left & {"b", "c"}) == 1
    assert "a" in left


async def test_the_pods_of_a_deployments_other_sets_crowd_a_node_as_well(timeless):
    for name in ("n1", "n2"):
        await timeless.node(name)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d", "uid": "d-uid", "controller": True}
    control(timeless)
    for name in ("old", "new"):
        await timeless.replica_set(name, 0)
        await patch(timeless, name, {"metadata": {"ownerReferences": [owner]}})
    for name, node, app in (("o1", "n1", "old"), ("o2", "n1", "old"), ("a", "n1", "new"), ("b", "n2", "new")):
        await timeless.set_ready(await timeless.pod(name, node=node, labels={"app": app}))
    await asyncio.gather(scale(timeless, "old", 2), scale(timeless, "new", 2))
    await settle(timeless)
    await scale(timeless, "new", 1)
    await settle(timeless)
    assert {meta.name(pod) for pod in await active(timeless)} == {"o1", "o2", "b"}


async def test_status_of_pods_that_are_not_ready_any_more(timeless):
    control(timeless)
    await timeless.replica_set("web", 1)
    await settle(timeless)
    (pod,) = await active(timeless)
    await timeless.set_ready(pod)
    await settle(timeless)
    assert (await status(timeless))["availableReplicas"] == 1
    unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    client, strategic = timeless.client, PatchType.STRATEGIC
    await client.patch(PODS, meta.name(pod), unready, "default", type=strategic, subresource="status")
    await settle(timeless)
    seen = await status(timeless)
    assert (seen["replicas"], "readyReplicas" in seen, "availableReplicas" in seen) == (1, False, False)


async def test_a_set_whose_selector_is_none_stops_nobody(timeless, caplog):
    """Another API server may hold what ours would have refused."""

    class Foreign:
        def __getattr__(self, name):
            return getattr(timeless.client, name)

        async def list(self, resource, *arguments, **options):
            page = await timeless.client.list(resource, *arguments, **options)
            if resource != REPLICASETS:
                return page
            selector = {"matchExpressions": [{"key": "app", "operator": "Like", "values": ["b"]}]}
            items = [
                i | {"spec": i["spec"] | {"selector": selector}} if meta.name(i) == "bad" else i for i in page.items
            ]
            return ObjectList(items, page.resource_version)

    await timeless.replica_set("bad", 1)
    await timeless.replica_set("web", 2)
    control(timeless, Foreign())
    await settle(timeless)
    await timeless.pod("orphan", labels={"app": "web"})
    await settle(timeless)
    assert [meta.controller_of(pod)["name"] for pod in await active(timeless)] == ["web", "web"]
    assert 'ReplicaSet default/bad has a selector that is none: "Like"' in caplog.text


class Slow:
    """A client whose status writes are answered only when `answer` is set."""

    def __init__(self, client):
        self._client, self.answer = client, asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def update(self, *arguments):
        written = await self._client.update(*arguments)
        await self.answer.wait()
        return written


async def test_nothing_is_kept_of_a_set_that_went_while_it_was_written(timeless):
    client = Slow(timeless.client)
    informers = Informers(client, timeless.clock, [PODS, REPLICASETS])
    controller = ReplicaSetController(REPLICA_SET, client, timeless.clock, informers, workers=1)
    timeless.spawn(controller.run())
    for informer in informers.all:
        timeless.spawn(informer.run())
    await timeless.replica_set("web", 0)
    await timeless.clock.advance(1)
    await timeless.client.delete(REPLICASETS, "web", "default")
    await timeless.clock.advance(1)
    client.answer.set()
    await timeless.clock.advance(5)
    assert controller._expectations._expected == {}


async def test_all_pages_of_the_pods_are_read_before_any_is_deleted(cluster, monkeypatch):
    monkeypatch.setattr(replicaset_controller, "_PAGE", 2)
    await cluster.replica_set("web", 5)
    control(cluster)
    await eventually(lambda: there_are(cluster, 5))
    await scale(cluster, "web", 3)
    await eventually(lambda: there_are(cluster, 3))


async def there_are(cluster, count):
    return len(await active(cluster)) == count
