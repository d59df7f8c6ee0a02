"""A hundred random operations by users, nodes and other controllers end exactly right, whatever befalls ours meanwhile.

What must be there in the end is known without any controller: each set has its number of pods, no pod is left that a
set should have taken, and pods that are beyond the reach of all sets are as their users left them. Every second seed
has faults: lagging caches, broken watches, unclear answers, controllers that are killed. A walk repeats by its seed;
REPLICASET_SEEDS=0:50 walks fifty.
"""

import os
import random
from dataclasses import dataclass, field

import pytest
from cluster import Cluster
from faults import Living, check_history
from faulty_client import Fate, FaultyClient, calm
from replicas import never_too_many, only_its_own, owner_of, start
from sampan_api import meta
from sampan_api.client import PODS, REPLICASETS, REPLICATIONCONTROLLERS, DeleteOptions, PatchType, Resource
from sampan_api.clock import VirtualClock, rfc3339
from sampan_api.errors import Conflict, NotFound
from sampan_master.controllers.pod_facts import has_ended, is_active, node_name

FIRST, LAST = map(int, os.environ.get("REPLICASET_SEEDS", "0:10").split(":"))
OPERATIONS = 100
NODES = ("n1", "n2", "n3", "n4")
LABELS = (
    {"app": "web"},
    {"app": "web", "track": "stable"},
    {"app": "web", "tier": "gold"},
    {"app": "old"},
    {"app": "debug"},
)
JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j-uid", "controller": True}
AT_ONCE = DeleteOptions(grace_seconds=0)
WINDOW = 60
"""So many revisions may lie between the reading of a set and the last pod that is made for it."""


@dataclass
class Kind:
    """One of the sets, and what is asked of it. `asked`: (revision, replicas)."""

    name: str
    resource: Resource
    selector: dict
    labels: dict
    spec: dict = field(default_factory=dict)
    uid: str = ""
    generation: int = 1
    asked: list = field(default_factory=list)

    def matches(self, labels):
        return self.selector.items() <= labels.items()

    @property
    def replicas(self):
        return self.asked[-1][1]

    async def create(self, cluster):
        containers = {"containers": [{"name": "c", "image": "busybox"}]}
        template = {"metadata": {"labels": self.labels}, "spec": containers}
        if self.resource is REPLICASETS:
            selector = {"matchLabels": self.selector}
            made = await cluster.replica_set(self.name, 2, template=template, selector=selector, **self.spec)
        else:
            made = await cluster.replication_controller(
                self.name, 2, template=template, selector=self.selector, **self.spec
            )
        self.uid = meta.uid(made)
        self.asked.append((int(meta.resource_version(made)), 2))


def sets():
    """The second one's pods match the first one's selector as well: what has no owner may go to either."""
    return [
        Kind("web", REPLICASETS, {"app": "web"}, {"app": "web", "track": "stable"}, {"minReadySeconds": 5}),
        Kind("gold", REPLICASETS, {"app": "web", "tier": "gold"}, {"app": "web", "tier": "gold"}),
        Kind("old", REPLICATIONCONTROLLERS, {"app": "old"}, {"app": "old"}),
    ]


class Walk:
    def __init__(self, cluster, seed):
        self.cluster, self.dice, self.sets = cluster, random.Random(seed), sets()
        self.names = iter(range(10_000))
        self.beyond = {}
        """The pods that no set may touch, as their users left them: name -> (labels, uid of the controller)."""
        self.operations = {
            self.scale: 22,
            self.label: 16,
            self.orphan: 6,
            self.give_away: 5,
            self.create: 6,
            self.delete: 10,
            self.delete_gracefully: 6,
            self.lose_a_node: 2,
            self.fail: 4,
            self.run_pods: 14,
            self.stop_being_ready: 3,
            self.let_time_pass: 6,
        }

    async def begin(self):
        for name in NODES:
            await self.cluster.node(name)
        for one in self.sets:
            await one.create(self.cluster)

    async def step(self):
        operations = list(self.operations)
        (operation,) = self.dice.choices(operations, list(self.operations.values()))
        try:
            await operation()
        except (NotFound, Conflict):
            pass  # The controllers were first: the pod is gone.
        # Sometimes everybody gets to act before the next operation, mostly only a little.
        for _ in range(self.dice.choice((0, 3, 10, 60))):
            await self.cluster.clock.sleep(0)

    def note(self, pod):
        """What the user's write has made of a pod: from now on it may be beyond reach."""
        labels, owner = meta.labels(pod), (meta.controller_of(pod) or {}).get("uid", "")
        in_reach = not has_ended(pod) and owner != JOB["uid"] and any(one.matches(labels) for one in self.sets)
        self.beyond.pop(meta.name(pod), None)
        if not in_reach and not meta.is_deleting(pod):
            self.beyond[meta.name(pod)] = labels, "" if owner != JOB["uid"] and not has_ended(pod) else owner

    async def pods(self, wanted=is_active):
        return sorted(filter(wanted, await self.cluster.pods()), key=meta.name)

    async def pod(self, wanted=is_active):
        found = await self.pods(wanted)
        if not found:
            raise NotFound("there is none")
        return self.dice.choice(found)

    async def patch(self, pod, change, **options):
        self.note(await self.cluster.client.patch(PODS, meta.name(pod), change, "default", **options))

    async def scale(self):
        one, replicas = self.dice.choice(self.sets), self.dice.randrange(9)
        change = {"spec": {"replicas": replicas}}
        one.generation += replicas != one.replicas
        done = await self.cluster.client.patch(one.resource, one.name, change, "default")
        one.asked.append((int(meta.resource_version(done)), replicas))

    async def label(self):
        pod, labels = await self.pod(), self.dice.choice(LABELS)
        gone = dict.fromkeys(meta.labels(pod).keys() - labels.keys())
        await self.patch(pod, {"metadata": {"labels": {**labels, **gone}}})

    async def orphan(self):
        await self.patch(await self.pod(meta.controller_of), {"metadata": {"ownerReferences": None}})

    async def give_away(self):
        await self.patch(await self.pod(), {"metadata": {"ownerReferences": [JOB]}})

    async def create(self):
        owners = [JOB] if self.dice.random() < 0.2 else []
        name = f"made-{next(self.names)}"
        self.note(await self.cluster.pod(name, labels=self.dice.choice(LABELS), owners=owners))

    async def remove(self, pod, options=AT_ONCE):
        await self.cluster.client.delete(PODS, meta.name(pod), "default", options)
        self.beyond.pop(meta.name(pod), None)

    async def delete(self):
        await self.remove(await self.pod(lambda pod: True))

    async def delete_gracefully(self):
        await self.remove(await self.pod(), DeleteOptions())

    async def lose_a_node(self):
        lost = self.dice.choice(NODES)
        for pod in await self.pods(lambda pod: node_name(pod) == lost):
            await self.remove(pod)

    async def fail(self):
        await self.patch(await self.pod(), {"status": {"phase": "Failed"}}, subresource="status")

    async def run_pods(self):
        """What the scheduler and the nodes do in a while."""
        for pod in (await self.pods(lambda pod: is_active(pod) and not node_name(pod)))[:4]:
            binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta.name(pod)}}
            binding["target"] = {"name": self.dice.choice(NODES)}
            await self.cluster.client.create(PODS, binding, "default", "binding")
            await self.cluster.set_ready(pod)
        for pod in (await self.pods(meta.is_deleting))[:2]:
            await self.cluster.client.delete(PODS, meta.name(pod), "default", AT_ONCE)

    async def stop_being_ready(self):
        condition = {"type": "Ready", "status": "False", "lastTransitionTime": rfc3339(self.cluster.clock.now())}
        change = {"status": {"conditions": [condition]}}
        await self.patch(await self.pod(node_name), change, type=PatchType.STRATEGIC, subresource="status")

    async def let_time_pass(self):
        await self.cluster.clock.advance(self.dice.choice((0.01, 0.2, 3, 40)))

    def may_want(self, moment, uid):
        """As many as were asked for at any time since the controller may have looked."""
        one = next(one for one in self.sets if one.uid == uid)
        before = [replicas for revision, replicas in one.asked if revision <= moment.revision - WINDOW][-1:]
        return max(before + [n for at, n in one.asked if moment.revision - WINDOW < at <= moment.revision])

    async def check(self):
        everything = await self.cluster.pods()
        alive = [pod for pod in everything if is_active(pod)]
        for one in self.sets:
            mine = [pod for pod in alive if owner_of(pod) == one.uid]
            assert len(mine) == one.replicas, one.name
            assert all(one.matches(meta.labels(pod)) for pod in mine), one.name
            found = await self.cluster.client.get(one.resource, one.name, "default")
            assert found["metadata"]["generation"] == one.generation, one.name
            assert found["status"] == self.status(one, mine, everything), one.name
        left = [pod for pod in alive if meta.controller_of(pod) is None]
        assert not [meta.name(pod) for pod in left if any(one.matches(meta.labels(pod)) for one in self.sets)]
        ours = {one.uid for one in self.sets}
        assert self.beyond == {
            meta.name(pod): (meta.labels(pod), (meta.controller_of(pod) or {}).get("uid", ""))
            for pod in everything
            if not meta.is_deleting(pod) and (has_ended(pod) or owner_of(pod) not in ours)
        }

    def status(self, one, mine, everything):
        ready = sum((meta.condition(pod, "Ready") or {}).get("status") == "True" for pod in mine)
        labelled = sum(one.labels.items() <= meta.labels(pod).items() for pod in mine)
        counts = {"fullyLabeledReplicas": labelled, "readyReplicas": ready, "availableReplicas": ready}
        expected = {"replicas": len(mine), "observedGeneration": one.generation}
        expected |= {name: number for name, number in counts.items() if number}
        if one.resource is REPLICASETS:
            expected["terminatingReplicas"] = sum(
                meta.is_deleting(pod)
                and not has_ended(pod)
                and owner_of(pod) == one.uid
                and one.matches(meta.labels(pod))
                for pod in everything
            )
        return expected


class Trouble:
    """What befalls the controllers of a walk."""

    def __init__(self, seed):
        self.dice = random.Random(f"trouble {seed}")

    def fate(self, write):
        fates = (Fate.DONE, Fate.REFUSED, Fate.LOST, Fate.LATE, Fate.DIE_BEFORE, Fate.DIE_AFTER)
        return self.dice.choices(fates, (90, 2, 3, 1, 2, 2))[0]

    def befall(self, client):
        what, resource = self.dice.random(), self.dice.choice((PODS, REPLICASETS, REPLICATIONCONTROLLERS))
        if what < 0.1:
            client.lag(resource, self.dice.randrange(6))
        elif what < 0.15:
            client.cut(resource, expired=self.dice.random() < 0.5)


async def walked(seed):
    random.seed(seed)
    cluster = Cluster(VirtualClock())
    await cluster.start()
    try:
        walk, trouble = Walk(cluster, seed), Trouble(seed) if seed % 2 else None
        fate = trouble.fate if trouble else calm
        await walk.begin()
        living = Living(start, cluster, FaultyClient(cluster.client, fate))
        for _ in range(OPERATIONS):
            await walk.step()
            if trouble:
                living.revive(fate)
                trouble.befall(living.client)
        living.client.heal()
        await living.settle()
        await walk.check()
        await check_history(cluster, living.client.writes, (never_too_many(walk.may_want), only_its_own))
        return [(write.verb, write.resource.kind, write.fate) for write in living.client.writes], living.deaths
    finally:
        await cluster.stop()


@pytest.mark.parametrize("seed", range(FIRST, LAST))
async def test_a_hundred_random_operations_end_exactly_right(seed):
    writes, _ = await walked(seed)
    assert len(writes) > 20


async def test_a_walk_repeats_by_its_seed():
    assert await walked(1) == await walked(1)
