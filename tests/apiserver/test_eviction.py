"""pods/eviction over HTTP: who may go, who may not, and in which words."""

import pytest
from api_harness import MERGE, Http, pod

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
HEALTHY = {"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1}


async def running(http: Http, name: str = "web", *, ready: bool = True, phase: str = "Running") -> dict:
    assert (await http("POST", PODS, pod(name, nodeName="n"))).code == 201
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    status = {"status": {"phase": phase, "conditions": [condition]}}
    answer = await http("PATCH", f"{PODS}/{name}/status", status, MERGE)
    assert answer.code == 200, answer.text
    return answer.json


async def budget(http: Http, name: str = "pdb1", *, spec: dict | None = None, **status: object) -> None:
    chosen = {"selector": {"matchLabels": {"app": "web"}}, **(spec or {"minAvailable": 1})}
    made = await http("POST", BUDGETS, {"metadata": {"name": name}, "spec": chosen})
    assert made.code == 201, made.text
    told = await http("PATCH", f"{BUDGETS}/{name}/status", {"status": {**HEALTHY, **status}}, MERGE)
    assert told.code == 200, told.text


async def evict(http: Http, name: str = "web", query: str = "", **options: object):
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    return await http("POST", f"{PODS}/{name}/eviction{query}", {**eviction, "deleteOptions": options})


async def deleting(http: Http, name: str = "web") -> bool:
    answer = await http("GET", f"{PODS}/{name}")
    return answer.code == 404 or "deletionTimestamp" in answer.json["metadata"]


async def test_without_a_budget_a_pod_is_deleted(http: Http) -> None:
    await running(http)
    answer = await evict(http)
    assert (answer.code, answer.json) == (
        201,
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201},
    )
    left = (await http("GET", f"{PODS}/web")).json
    assert left["metadata"]["deletionGracePeriodSeconds"] == 30
    [said] = [c for c in left["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert (said["status"], said["reason"], said["message"]) == (
        "True",
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )


async def test_a_budget_that_allows_none_refuses_in_the_known_words(http: Http) -> None:
    await running(http)
    await budget(http, disruptionsAllowed=0, desiredHealthy=5)
    answer = await evict(http)
    assert answer.code == 429
    assert answer.header("retry-after") == ""
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Cannot evict pod as it would violate the pod's disruption budget.",
        "reason": "TooManyRequests",
        "details": {
            "causes": [
                {
                    "reason": "DisruptionBudget",
                    "message": "The disruption budget pdb1 needs 5 healthy pods and has 2 currently",
                }
            ]
        },
        "code": 429,
    }
    assert not await deleting(http)


async def test_a_budget_that_was_not_counted_yet_asks_to_come_again(http: Http) -> None:
    await running(http)
    await budget(http)
    await http("PATCH", f"{BUDGETS}/pdb1", {"spec": {"minAvailable": 2}}, MERGE)
    answer = await evict(http)
    assert (answer.code, answer.header("retry-after")) == (429, "10")
    assert answer.json["details"] == {
        "causes": [
            {
                "reason": "DisruptionBudget",
                "message": "The disruption budget pdb1 is still being processed by the server.",
            }
        ],
        "retryAfterSeconds": 10,
    }


async def test_an_eviction_pays_with_the_budget(http: Http) -> None:
    await running(http)
    await budget(http, disruptionsAllowed=2)
    assert (await evict(http)).code == 201
    status = (await http("GET", f"{BUDGETS}/pdb1")).json["status"]
    assert status["disruptionsAllowed"] == 1
    assert list(status["disruptedPods"]) == ["web"]


@pytest.mark.parametrize("query", ["?dryRun=All", ""])
async def test_a_dry_run_asks_the_budget_and_changes_nothing(http: Http, query: str) -> None:
    await running(http)
    await budget(http)
    options = {} if query else {"dryRun": ["All"]}
    assert (await evict(http, query=query, **options)).code == 201
    assert not await deleting(http)
    assert (await http("GET", f"{BUDGETS}/pdb1")).json["status"] == {**HEALTHY, "expectedPods": 0}
    await http("PATCH", f"{BUDGETS}/pdb1/status", {"status": {"disruptionsAllowed": 0}}, MERGE)
    assert (await evict(http, query=query, **options)).code == 429


async def test_two_budgets_for_one_pod_are_a_mistake_of_the_cluster(http: Http) -> None:
    await running(http)
    await budget(http)
    await budget(http, "pdb2")
    answer = await evict(http)
    assert answer.code == 500
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        "code": 500,
    }


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Pending"])
async def test_pods_that_ended_or_wait_need_no_budget(http: Http, phase: str) -> None:
    await running(http, phase=phase)
    await budget(http, disruptionsAllowed=0)
    assert (await evict(http)).code == 201
    assert await deleting(http)


async def test_a_pod_that_is_going_anyway_needs_no_budget(http: Http) -> None:
    await running(http)
    await budget(http, disruptionsAllowed=0)
    await http("DELETE", f"{PODS}/web")
    assert (await evict(http, gracePeriodSeconds=5)).code == 201
    assert (await http("GET", f"{PODS}/web")).json["metadata"]["deletionGracePeriodSeconds"] == 5


@pytest.mark.parametrize(
    ("policy", "status", "code"),
    [
        (None, {"currentHealthy": 1}, 201),
        ("IfHealthyBudget", {"currentHealthy": 1}, 201),
        ("IfHealthyBudget", {"currentHealthy": 0}, 429),
        (None, {"currentHealthy": 0, "desiredHealthy": 0}, 429),
        ("AlwaysAllow", {"currentHealthy": 0}, 201),
    ],
)
async def test_a_pod_that_is_not_ready_goes_as_the_budget_s_policy_says(
    http: Http, policy: str | None, status: dict, code: int
) -> None:
    await running(http, ready=False)
    spec = {"minAvailable": 1, "unhealthyPodEvictionPolicy": policy}
    await budget(http, spec=spec, disruptionsAllowed=0, **status)
    assert (await evict(http)).code == code
    assert await deleting(http) is (code == 201)
    assert "disruptedPods" not in (await http("GET", f"{BUDGETS}/pdb1")).json["status"]


async def test_preconditions_hold_for_evictions_too(http: Http) -> None:
    before = (await running(http))["metadata"]
    answer = await evict(http, preconditions={"uid": "abc"})
    assert (answer.code, answer.json["details"]) == (409, {"name": "web", "kind": "Pod"})
    assert "the UID in the precondition (abc) does not match the UID in record" in answer.json["message"]
    assert (await evict(http, preconditions={"resourceVersion": "1"})).code == 409
    assert not await deleting(http)
    exact = {"uid": before["uid"], "resourceVersion": before["resourceVersion"]}
    assert (await evict(http, preconditions=exact)).code == 201


@pytest.mark.parametrize("phase", ["Pending", "Succeeded"])
async def test_a_revision_that_is_named_holds_for_pods_that_need_no_budget_too(http: Http, phase: str) -> None:
    await running(http, phase=phase)
    assert (await evict(http, preconditions={"resourceVersion": "1"})).code == 409
    assert not await deleting(http)


@pytest.mark.parametrize(("before", "kept"), [("True", True), ("False", False)])
async def test_a_pod_that_was_to_be_disrupted_already_keeps_since_when(http: Http, before: str, kept: bool) -> None:
    old = "2020-01-01T00:00:00Z"
    await running(http)
    said = {"type": "DisruptionTarget", "status": before, "lastTransitionTime": old, "reason": "Other"}
    ready = {"type": "Ready", "status": "True"}
    status = {"status": {"conditions": [ready, said]}}
    assert (await http("PATCH", f"{PODS}/web/status", status, MERGE)).code == 200
    assert (await evict(http)).code == 201
    left = (await http("GET", f"{PODS}/web")).json
    by_type = {condition["type"]: condition for condition in left["status"]["conditions"]}
    assert set(by_type) == {"Ready", "DisruptionTarget"}
    target = by_type["DisruptionTarget"]
    assert (target["status"], target["reason"]) == ("True", "EvictionByEvictionAPI")
    assert (target["lastTransitionTime"] == old) is kept


async def test_an_eviction_names_its_pod(http: Http) -> None:
    await running(http)
    nameless = await http("POST", f"{PODS}/web/eviction", {"apiVersion": "policy/v1", "kind": "Eviction"})
    assert (nameless.code, nameless.json["message"]) == (
        400,
        "name in URL does not match name in Eviction object",
    )
    elsewhere = {"metadata": {"name": "web", "namespace": "other"}}
    assert (await http("POST", f"{PODS}/web/eviction", elsewhere)).code == 400
    assert (await evict(http, propagationPolicy="Foo")).code == 422


async def test_what_a_budget_may_not_say(http: Http) -> None:
    async def refusal(**spec: object) -> list[tuple[str, str]]:
        answer = await http("POST", BUDGETS, {"metadata": {"name": "x"}, "spec": spec})
        assert answer.code == 422, answer.text
        return [(cause["field"], cause["message"]) for cause in answer.json["details"]["causes"]]

    assert await refusal(minAvailable=-1) == [
        ("spec.minAvailable", "Invalid value: -1: must be greater than or equal to 0")
    ]
    [(field, said)] = await refusal(maxUnavailable="abc")
    assert (field, said[:70]) == (
        "spec.maxUnavailable",
        'Invalid value: "abc": a valid percent string must be a numeric string followed'[:70],
    )
    assert await refusal(minAvailable="101%") == [
        ("spec.minAvailable", 'Invalid value: "101%": must not be greater than 100%')
    ]
    assert await refusal(minAvailable=1, maxUnavailable=1) == [
        (
            "spec",
            'Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}:'
            " minAvailable and maxUnavailable cannot be both set",
        )
    ]
    assert await refusal(unhealthyPodEvictionPolicy="Foo") == [
        (
            "spec.unhealthyPodEvictionPolicy",
            'Unsupported value: "Foo": supported values: "AlwaysAllow", "IfHealthyBudget"',
        )
    ]
    await budget(http)
    answer = await http("PATCH", f"{BUDGETS}/pdb1/status", {"status": {"currentHealthy": -1}}, MERGE)
    assert (answer.code, answer.json["details"]["causes"][0]["field"]) == (422, "status.currentHealthy")


async def test_the_table_of_budgets(http: Http) -> None:
    await budget(http, spec={"maxUnavailable": "25%"})
    table = (await http("GET", BUDGETS, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})).json
    assert [c["name"] for c in table["columnDefinitions"]] == [
        "Name",
        "Min Available",
        "Max Unavailable",
        "Allowed Disruptions",
        "Age",
    ]
    assert table["rows"][0]["cells"][:4] == ["pdb1", "N/A", "25%", 1]
