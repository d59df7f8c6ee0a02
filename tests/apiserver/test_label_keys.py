"""matchLabelKeys and mismatchLabelKeys: a new pod's own labels become requirements of its selectors."""

from __future__ import annotations

from typing import Any

import pytest
from api_harness import MERGE, Http, pod

PODS = "/api/v1/namespaces/default/pods"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
APP = {"matchLabels": {"app": "web"}}
IN = {"key": "rev", "operator": "In", "values": ["1"]}
NOT_IN = {"key": "rev", "operator": "NotIn", "values": ["1"]}


def term(selector: dict[str, Any] | None = APP, **keys: list[str]) -> dict[str, Any]:
    return {"topologyKey": "zone", **keys, **({} if selector is None else {"labelSelector": selector})}


def constraint(selector: dict[str, Any] | None = APP, **keys: list[str]) -> dict[str, Any]:
    return {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **term(selector, **keys)}


def near(one: dict[str, Any]) -> dict[str, Any]:
    return {"affinity": {"podAffinity": {REQUIRED: [one]}}}


def labelled(**spec: Any) -> dict[str, Any]:
    made = pod("web", **spec)
    made["metadata"]["labels"] = {"app": "web", "rev": "1"}
    return made


@pytest.fixture
async def account(http: Http) -> None:
    await http("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})


async def made(http: Http, **spec: Any) -> dict[str, Any]:
    answer = await http("POST", PODS, labelled(**spec))
    assert answer.code == 201, answer.text
    return dict(answer.json["spec"])


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
async def test_every_term_of_affinity_gets_the_pod_s_own_values(http: Http, kind: str) -> None:
    own = {"key": "tier", "operator": "Exists"}
    wanted = term({**APP, "matchExpressions": [own]}, matchLabelKeys=["rev", "absent"])
    unwanted = {"weight": 1, "podAffinityTerm": term(mismatchLabelKeys=["absent", "rev"])}
    spec = await made(http, affinity={kind: {REQUIRED: [wanted], PREFERRED: [unwanted]}})
    terms = spec["affinity"][kind]
    assert terms[REQUIRED] == [{**wanted, "labelSelector": {**APP, "matchExpressions": [own, IN]}}]
    (weighted,) = terms[PREFERRED]
    assert weighted["podAffinityTerm"] == {
        **unwanted["podAffinityTerm"],
        "labelSelector": {**APP, "matchExpressions": [NOT_IN]},
    }


@pytest.mark.usefixtures("account")
async def test_a_spread_constraint_gets_them_too(http: Http) -> None:
    spec = await made(http, topologySpreadConstraints=[constraint(matchLabelKeys=["rev"])])
    (spread,) = spec["topologySpreadConstraints"]
    assert spread["labelSelector"] == {**APP, "matchExpressions": [IN]}
    assert spread["matchLabelKeys"] == ["rev"]


@pytest.mark.usefixtures("account")
async def test_what_a_selector_says_outlives_a_change_of_the_label(http: Http) -> None:
    before = await made(http, **near(term(matchLabelKeys=["rev"])))
    change = {"metadata": {"labels": {"rev": "2"}}}
    answer = await http("PATCH", f"{PODS}/web", change, MERGE)
    assert answer.code == 200
    assert answer.json["spec"]["affinity"] == before["affinity"]
    assert before["affinity"]["podAffinity"][REQUIRED][0]["labelSelector"]["matchExpressions"] == [IN]


@pytest.mark.usefixtures("account")
async def test_the_key_a_pod_does_not_want_may_be_in_its_selector(http: Http) -> None:
    spec = await made(http, **near(term({"matchLabels": {"rev": "3"}}, mismatchLabelKeys=["rev"])))
    (found,) = spec["affinity"]["podAffinity"][REQUIRED]
    assert found["labelSelector"] == {"matchLabels": {"rev": "3"}, "matchExpressions": [NOT_IN]}


AFFINITY, SPREAD = f"spec.affinity.podAffinity.{REQUIRED}[0]", "spec.topologySpreadConstraints[0]"
UNSET = "must not be specified when labelSelector is not set"
TWICE = 'Invalid value: "rev": exists in both matchLabelKeys and'


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (near(term(None, matchLabelKeys=["rev"])), f"{AFFINITY}.matchLabelKeys: Forbidden: {UNSET}"),
        (near(term(None, mismatchLabelKeys=["rev"])), f"{AFFINITY}.mismatchLabelKeys: Forbidden: {UNSET}"),
        (near(term(matchLabelKeys=["a b"])), f'{AFFINITY}.matchLabelKeys[0]: Invalid value: "a b": name part must'),
        (near(term({"matchLabels": {"rev": "1"}}, matchLabelKeys=["rev"])), f"{AFFINITY}[0]: {TWICE} labelSelector"),
        (near(term({"matchExpressions": [IN]}, matchLabelKeys=["rev"])), f"{AFFINITY}[0]: {TWICE} labelSelector"),
        (
            near(term(matchLabelKeys=["rev"], mismatchLabelKeys=["rev"])),
            f"{AFFINITY}.matchLabelKeys[0]: {TWICE} mismatchLabelKeys",
        ),
        (
            {"topologySpreadConstraints": [constraint(None, matchLabelKeys=["rev"])]},
            f"{SPREAD}.matchLabelKeys: Forbidden: {UNSET}",
        ),
        (
            {"topologySpreadConstraints": [constraint({"matchLabels": {"rev": "1"}}, matchLabelKeys=["rev"])]},
            f"{SPREAD}[0]: {TWICE} labelSelector",
        ),
    ],
)
async def test_keys_that_make_no_sense_are_refused(http: Http, spec: dict[str, Any], said: str) -> None:
    answer = await http("POST", PODS, labelled(**spec))
    assert answer.code == 422
    assert said in answer.json["message"]


async def test_a_template_is_kept_as_it_was_sent(http: Http) -> None:
    template = {"metadata": {"labels": {"app": "web", "rev": "1"}}, "spec": labelled()["spec"]}
    template["spec"] |= near(term(matchLabelKeys=["rev"]))
    answer = await http(
        "POST",
        "/apis/apps/v1/namespaces/default/replicasets",
        {"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": APP, "template": template}},
    )
    assert answer.code == 201, answer.text
    assert answer.json["spec"]["template"]["spec"]["affinity"] == template["spec"]["affinity"]
