"""Garbage collection, the decisions: who goes, who stays, and how."""

import pytest
from sampan_api.client import DEPLOYMENTS, HORIZONTALPODAUTOSCALERS
from sampan_master.controllers import garbage
from sampan_master.controllers.garbage import Owner, Verdict, judge

SOLID, WAITING, ABSENT, UNKNOWN = Owner.SOLID, Owner.WAITING, Owner.ABSENT, Owner.UNKNOWN


@pytest.mark.parametrize(
    ("owners", "has_dependents", "verdict"),
    [
        ([], False, Verdict.KEEP),
        ([SOLID], False, Verdict.KEEP),
        ([SOLID, SOLID], True, Verdict.KEEP),
        ([ABSENT, UNKNOWN], False, Verdict.KEEP),
        ([SOLID, UNKNOWN, ABSENT], False, Verdict.KEEP),
        ([SOLID, ABSENT], False, Verdict.DROP_REFERENCES),
        ([WAITING, SOLID], True, Verdict.DROP_REFERENCES),
        ([WAITING, ABSENT], True, Verdict.DELETE_IN_FOREGROUND),
        ([WAITING], False, Verdict.DELETE),
        ([ABSENT], True, Verdict.DELETE),
    ],
)
def test_an_object_lives_while_somebody_may_own_it(owners, has_dependents, verdict):
    assert judge(owners, has_dependents=has_dependents) is verdict


def obj(*references, finalizers=(), deleting=False):
    stamp = {"deletionTimestamp": "2024-01-01T00:00:00Z"} if deleting else {}
    return {"metadata": {"ownerReferences": list(references), "finalizers": list(finalizers), **stamp}}


def reference(uid, *, blocks=False):
    return {"uid": uid, "blockOwnerDeletion": blocks}


@pytest.mark.parametrize(
    ("finalizers", "how"),
    [([], "Background"), (["foregroundDeletion"], "Foreground"), (["foregroundDeletion", "orphan"], "Orphan")],
)
def test_what_nobody_owns_goes_as_its_finalizers_ask(finalizers, how):
    assert garbage.propagation(obj(finalizers=finalizers)) == how


def test_finalizers_count_only_in_a_deletion():
    for deleting in (True, False):
        assert garbage.waits_for_dependents(obj(finalizers=["foregroundDeletion"], deleting=deleting)) is deleting
        assert garbage.orphans_dependents(obj(finalizers=["orphan"], deleting=deleting)) is deleting
    assert not garbage.waits_for_dependents(obj(finalizers=["orphan"], deleting=True))
    assert not garbage.orphans_dependents(obj(finalizers=["foregroundDeletion"], deleting=True))


def test_a_dependent_holds_the_owner_that_it_names_so_and_no_other():
    dependent = obj(reference("a", blocks=True), reference("b"))
    assert [garbage.blocks(dependent, uid) for uid in "abc"] == [True, False, False]
    assert garbage.no_longer_blocked(dependent, obj(reference("a"))) == [reference("a", blocks=True)]
    assert garbage.no_longer_blocked(dependent, dependent) == []
    assert garbage.without(dependent, ["a", "c"]) == [reference("b")]
    assert garbage.unblocking(dependent) == [reference("a"), reference("b")]


def test_an_owner_is_found_whichever_of_its_versions_is_named():
    found = [
        garbage.owner_resource({"apiVersion": version, "kind": kind})
        for version, kind in (
            ("apps/v1", "Deployment"),
            ("autoscaling/v1", "HorizontalPodAutoscaler"),
            ("autoscaling/v2", "HorizontalPodAutoscaler"),
            ("apps/v1", "Widget"),
        )
    ]
    assert found == [DEPLOYMENTS, HORIZONTALPODAUTOSCALERS, HORIZONTALPODAUTOSCALERS, None]
