"""How a disruption budget is counted, without a cluster."""

import pytest
from sampan_api.clock import rfc3339
from sampan_master.controllers import budget

NOW = 1_700_000_000.0


def pod(name, *, ready=True, deleting=False):
    metadata = {"name": name, "labels": {"app": "a"}}
    if deleting:
        metadata["deletionTimestamp"] = rfc3339(NOW)
    state = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": rfc3339(NOW - 60)}
    return {"metadata": metadata, "spec": {}, "status": {"phase": "Running", "conditions": [state]}}


def pods(count):
    return [pod(f"p{i}") for i in range(count)]


def pdb(*, promised=None, status=None, **spec):
    status = {**(status or {}), **({"disruptedPods": promised} if promised else {})}
    spec = {"selector": {"matchLabels": {"app": "a"}}, **spec}
    return {"metadata": {"name": "b", "generation": 3}, "spec": spec, "status": status}


def counts(made):
    fields = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    return tuple(made.status[field] for field in fields)


@pytest.mark.parametrize(
    ("spec", "here", "wanted", "expected"),
    [
        ({"minAvailable": 2}, 3, 3, (3, 2, 3, 1)),
        ({"minAvailable": 2}, 3, 9, (3, 2, 3, 1)),
        ({"minAvailable": 5}, 3, 3, (3, 5, 3, 0)),
        ({"minAvailable": "50%"}, 3, 3, (3, 2, 3, 1)),
        ({"minAvailable": "100%"}, 3, 3, (3, 3, 3, 0)),
        ({"minAvailable": "34%"}, 3, 5, (5, 2, 3, 1)),
        ({"maxUnavailable": 1}, 3, 3, (3, 2, 3, 1)),
        ({"maxUnavailable": 1}, 3, 5, (5, 4, 3, 0)),
        ({"maxUnavailable": 7}, 3, 3, (3, 0, 3, 3)),
        ({"maxUnavailable": "25%"}, 4, 4, (4, 3, 4, 1)),
        ({"maxUnavailable": "30%"}, 3, 3, (3, 2, 3, 1)),
        ({"maxUnavailable": 0}, 3, 3, (3, 3, 3, 0)),
        ({}, 3, 3, (3, 0, 3, 3)),
        ({"minAvailable": 0}, 0, 0, (0, 0, 0, 0)),
    ],
)
def test_how_many_may_go(spec, here, wanted, expected):
    assert counts(budget.count(pdb(**spec), pods(here), {"owner": wanted}, NOW)) == expected


def test_what_several_owners_want_is_added_up():
    made = budget.count(pdb(maxUnavailable=1), pods(5), {"one": 3, "two": 2}, NOW)
    assert counts(made) == (5, 4, 5, 1)


def test_pods_that_are_not_ready_or_going_are_not_healthy():
    here = [pod("a"), pod("b"), pod("c", ready=False), pod("d", deleting=True)]
    assert counts(budget.count(pdb(minAvailable=1), here, {}, NOW)) == (4, 1, 2, 1)


def test_a_promised_pod_is_not_healthy_until_its_deletion_is_overdue():
    promised = {"p0": rfc3339(NOW - 30), "p1": rfc3339(NOW - 121), "elsewhere": rfc3339(NOW)}
    made = budget.count(pdb(minAvailable=1, promised=promised), pods(3), {}, NOW)
    assert counts(made) == (3, 1, 2, 1)
    assert made.status["disruptedPods"] == {"p0": promised["p0"]}
    assert made.void == ("p1",)
    assert made.recheck == 90


def test_a_promise_is_kept_once_the_pod_is_going():
    made = budget.count(pdb(minAvailable=1, promised={"p": rfc3339(NOW)}), [pod("p", deleting=True)], {}, NOW)
    assert "disruptedPods" not in made.status
    assert made.recheck is None


def test_the_condition_says_whether_any_may_go_and_since_when():
    made = budget.count(pdb(minAvailable=1), pods(2), {}, NOW)
    condition = {
        "type": "DisruptionAllowed",
        "status": "True",
        "observedGeneration": 3,
        "lastTransitionTime": rfc3339(NOW),
        "reason": "SufficientPods",
        "message": "",
    }
    assert made.status["observedGeneration"] == 3
    assert made.status["conditions"] == [condition]
    later = budget.count(pdb(minAvailable=1, status=made.status), pods(2), {}, NOW + 100)
    assert later.status["conditions"] == [condition]
    fewer = budget.count(pdb(minAvailable=1, status=made.status), pods(1), {}, NOW + 100)
    assert fewer.status["conditions"] == [
        condition | {"status": "False", "reason": "InsufficientPods", "lastTransitionTime": rfc3339(NOW + 100)}
    ]


def test_a_budget_that_cannot_be_counted_allows_nothing_and_says_why():
    before = budget.count(pdb(minAvailable=1), pods(2), {}, NOW).status
    status = budget.failed(pdb(status=before), "no scale", NOW)
    assert status["disruptionsAllowed"] == 0
    assert (status["conditions"][0]["reason"], status["conditions"][0]["message"]) == ("SyncFailed", "no scale")
    assert status["currentHealthy"] == 2


def test_an_empty_selector_selects_all_and_none_nothing():
    assert budget.selector(pdb(selector={})).matches({"any": "thing"})
    assert not budget.selector(pdb(selector=None)).matches({"any": "thing"})
