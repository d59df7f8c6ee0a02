"""ReplicationControllers and PodTemplates."""

from __future__ import annotations

from typing import Any

import pytest
from api_harness import IMAGE, Http
from sampan_api.client import PODTEMPLATES, REPLICATIONCONTROLLERS, Client
from sampan_api.clock import parse_time
from sampan_api.errors import Invalid
from sampan_master.apiserver.resources.kinds import podtemplates, replicationcontrollers

NOW = parse_time("2026-01-01T01:00:00Z")
METADATA = {"name": "rc", "namespace": "default"}
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": IMAGE}]}}


async def make(client: Client, **spec: Any) -> dict[str, Any]:
    obj = {"metadata": METADATA, "spec": {"template": TEMPLATE, **spec}}
    return await client.create(REPLICATIONCONTROLLERS, obj, "default")


async def test_labels_and_selector_come_from_the_template(client: Client) -> None:
    made = await make(client)
    assert made["metadata"]["labels"] == made["spec"]["selector"] == {"app": "x"}
    assert (made["spec"]["replicas"], made["status"], made["metadata"]["generation"]) == (1, {"replicas": 0}, 1)


async def test_it_is_scaled(http: Http, client: Client) -> None:
    await make(client, selector={"app": "x"})
    path = "/api/v1/namespaces/default/replicationcontrollers/rc/scale"
    merge = {"Content-Type": "application/merge-patch+json"}
    scaled = await http("PATCH", path, {"spec": {"replicas": 3}}, merge)
    assert scaled.json["spec"] == {"replicas": 3}
    assert scaled.json["status"] == {"replicas": 0, "selector": "app=x"}
    assert (await client.get(REPLICATIONCONTROLLERS, "rc", "default"))["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"template": None}, "spec.template: Required value"),
        ({"template": None}, "spec.selector: Required value"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"selector": {"app": "::"}}, "`selector` does not match template `labels`"),
        ({"selector": {"a": "b"}}, 'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not'),
        (
            {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "activeDeadlineSeconds": 5}}},
            "activeDeadlineSeconds in ReplicationController is not Supported",
        ),
        (
            {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}},
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
    ],
)
async def test_mistakes_are_told(client: Client, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await make(client, **spec)
    assert said in refused.value.message


async def test_a_status_does_not_count_more_than_there_are(client: Client) -> None:
    made = await make(client)
    with pytest.raises(
        Invalid, match=r"status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"
    ):
        await client.update(REPLICATIONCONTROLLERS, {**made, "status": {"replicas": 1, "readyReplicas": 2}}, "status")


async def test_a_pod_template_is_completed_and_checked(client: Client) -> None:
    made = await client.create(PODTEMPLATES, {"metadata": METADATA, "template": TEMPLATE}, "default")
    assert made["template"]["spec"]["restartPolicy"] == "Always"
    assert podtemplates.RESOURCE.cells(made, NOW) == ["rc", "c", IMAGE, "app=x"]
    with pytest.raises(Invalid, match=r"template.spec.containers: Required value"):
        await client.create(PODTEMPLATES, {"metadata": {**METADATA, "name": "y"}}, "default")


def test_it_shows_how_many_are_wanted_there_and_ready() -> None:
    spec = {"replicas": 3, "selector": {"app": "x"}, "template": TEMPLATE}
    obj = {"metadata": METADATA, "spec": spec, "status": {"replicas": 2, "readyReplicas": 1}}
    shown = replicationcontrollers.RESOURCE.cells(obj, NOW)
    assert shown == ["rc", 3, 2, 1, "<unknown>", "c", IMAGE, "app=x"]
