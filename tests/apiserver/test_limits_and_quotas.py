"""ResourceQuotas and LimitRanges: amounts that contradict each other, and what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from sampan_api.client import LIMITRANGES, RESOURCEQUOTAS, Client
from sampan_api.clock import parse_time
from sampan_api.errors import Invalid
from sampan_master.apiserver.resources.kinds import limitranges, resourcequotas

NOW = parse_time("2026-01-01T01:00:00Z")
METADATA = {"name": "x", "namespace": "default"}


def scoped(scope: str, operator: str, **more: Any) -> dict[str, Any]:
    return {"matchExpressions": [{"scopeName": scope, "operator": operator, **more}]}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"hard": {"foo": "1"}}, 'spec.hard[foo]: Invalid value: "foo": must be a standard resource type or fully'),
        ({"hard": {"foo": "1"}}, 'spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota'),
        ({"hard": {"pods": "1500m"}}, 'spec.hard[pods]: Invalid value: "1500m": must be an integer'),
        ({"hard": {"cpu": "-1"}}, 'spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0'),
        ({"scopes": ["Foo"]}, 'spec.scopes: Invalid value: ["Foo"]: unsupported scope'),
        ({"scopes": ["BestEffort", "NotBestEffort"]}, "conflicting scopes"),
        ({"hard": {"secrets": "1"}, "scopes": ["Terminating"]}, "unsupported scope applied to resource"),
        ({"scopeSelector": scoped("BestEffort", "In", values=["x"])}, "must be 'Exist' when scope is any of Resource"),
        ({"scopeSelector": scoped("PriorityClass", "In")}, "must be at least one value when `operator` is 'In' or"),
        ({"scopeSelector": scoped("PriorityClass", "Exists", values=["x"])}, "must be no value when `operator` is"),
        ({"scopeSelector": scoped("PriorityClass", "Foo")}, "not a valid selector operator"),
    ],
)
async def test_a_wrong_quota_is_refused(client: Client, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.create(RESOURCEQUOTAS, {"metadata": METADATA, "spec": spec}, "default")
    assert said in refused.value.message


async def test_a_quota_may_count_objects_of_any_kind_and_keeps_its_scopes(client: Client) -> None:
    hard = {"count/deployments.apps": "4", "requests.example.com/gpu": "2", "pods": "10"}
    await client.create(RESOURCEQUOTAS, {"metadata": METADATA, "spec": {"hard": hard}}, "default")
    with pytest.raises(Invalid, match=r'spec.scopes: Invalid value: \["Terminating"\]: field is immutable'):
        await client.patch(RESOURCEQUOTAS, "x", {"spec": {"hard": None, "scopes": ["Terminating"]}}, "default")


def test_a_quota_shows_requests_and_limits_apart() -> None:
    hard = {"pods": "5", "limits.cpu": "2", "cpu": "1"}
    obj = {"metadata": METADATA, "spec": {"hard": hard}, "status": {"hard": hard, "used": {"pods": "1"}}}
    shown = resourcequotas.RESOURCE.cells(obj, NOW)
    assert shown == ["x", "cpu: 0/1, pods: 1/5", "limits.cpu: 0/2", "<unknown>"]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (
            {"type": "Foo"},
            'spec.limits[0].type: Invalid value: "Foo": must be a standard limit type or fully qualified',
        ),
        ({"type": "Pod", "default": {"cpu": "1"}}, "default: Forbidden: may not be specified when `type` is 'Pod'"),
        ({"type": "Pod", "max": {"foo": "1"}}, "must be a standard resource for containers"),
        ({"type": "PersistentVolumeClaim"}, "either minimum or maximum storage value is required, but neither was"),
        (
            {"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}},
            'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        ),
        (
            {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}},
            "default request value 2 is greater than default limit value 1",
        ),
        ({"type": "Container", "maxLimitRequestRatio": {"cpu": "500m"}}, "ratio 500m is less than 1"),
        (
            {"type": "Pod", "maxLimitRequestRatio": {"cpu": "5"}, "min": {"cpu": "1"}, "max": {"cpu": "2"}},
            "ratio 5 is greater than max/min = 2.000000",
        ),
    ],
)
async def test_a_wrong_limit_range_is_refused(client: Client, item: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.create(LIMITRANGES, {"metadata": METADATA, "spec": {"limits": [item]}}, "default")
    assert said in refused.value.message


async def test_each_type_has_one_item(client: Client) -> None:
    limits = [{"type": "Pod"}, {"type": "Pod"}]
    with pytest.raises(Invalid, match=r'spec.limits\[1\].type: Duplicate value: "Pod"'):
        await client.create(LIMITRANGES, {"metadata": METADATA, "spec": {"limits": limits}}, "default")


async def test_defaults_of_containers_follow_from_what_is_said(client: Client) -> None:
    item = {
        "type": "Container",
        "min": {"memory": "1Mi"},
        "default": {"cpu": "2"},
        "max": {"cpu": "4", "memory": "1Gi"},
    }
    made = await client.create(LIMITRANGES, {"metadata": METADATA, "spec": {"limits": [item]}}, "default")
    (got,) = made["spec"]["limits"]
    assert got["default"] == {"cpu": "2", "memory": "1Gi"}
    assert got["defaultRequest"] == {"cpu": "2", "memory": "1Gi"}
    shown = limitranges.RESOURCE.cells(made, NOW)
    assert shown == ["x", made["metadata"]["creationTimestamp"]]
