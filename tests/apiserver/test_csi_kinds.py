"""Storage drivers and what they tell: nothing of ours acts on them, but a kube-scheduler follows them all."""

from __future__ import annotations

from typing import Any

import pytest
from api_harness import Http
from sampan_api.client import CSIDRIVERS, CSINODES, CSISTORAGECAPACITIES, VOLUMEATTACHMENTS, Client, Resource
from sampan_api.clock import parse_time
from sampan_api.errors import Invalid
from sampan_master.apiserver.resources.kinds import csidrivers, csinodes, csistoragecapacities, volumeattachments

NOW = parse_time("2026-01-01T01:00:00Z")
CREATED = {"creationTimestamp": "2026-01-01T00:00:00Z"}


def driver(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "disk.example.com"}, "spec": spec}


def csi_node(*drivers: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "n1"}, "spec": {"drivers": list(drivers)}}


def capacity(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "c", "namespace": "default"}, "storageClassName": "fast", **fields}


def attachment(source: Any = None, **spec: Any) -> dict[str, Any]:
    base = {"attacher": "disk.example.com", "nodeName": "n1", "source": source or {"persistentVolumeName": "v"}}
    return {"metadata": {"name": "a"}, "spec": {**base, **spec}}


D = {"name": "disk.example.com", "nodeID": "1"}
INLINE = {"accessModes": ["ReadWriteOnce"], "csi": {"driver": "disk.example.com", "volumeHandle": "h"}}


@pytest.mark.parametrize(
    ("resource", "obj", "said"),
    [
        (CSIDRIVERS, driver(fsGroupPolicy="Some"), 'spec.fsGroupPolicy: Unsupported value: "Some": supported values'),
        (CSIDRIVERS, driver(volumeLifecycleModes=["X"]), 'spec.volumeLifecycleModes: Unsupported value: "X"'),
        (
            CSIDRIVERS,
            driver(tokenRequests=[{"audience": "a"}, {"audience": "a"}]),
            'spec.tokenRequests[1].audience: Duplicate value: "a"',
        ),
        (
            CSIDRIVERS,
            driver(tokenRequests=[{"audience": "", "expirationSeconds": 60}]),
            "expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes",
        ),
        (CSIDRIVERS, driver(nodeAllocatableUpdatePeriodSeconds=9), "must be greater than or equal to 10 seconds"),
        (CSINODES, csi_node({**D, "nodeID": ""}), "spec.drivers[0].nodeID: Required value"),
        (CSINODES, csi_node({**D, "nodeID": "x" * 193}), "must be 192 characters or less"),
        (CSINODES, csi_node({**D, "name": ""}), "spec.drivers[0].name: Required value"),
        (CSINODES, csi_node({**D, "allocatable": {"count": -1}}), "allocatable.count: Invalid value: -1"),
        (CSINODES, csi_node(D, D), 'spec.drivers[1].name: Duplicate value: "disk.example.com"'),
        (CSINODES, csi_node({**D, "topologyKeys": ["a", "a"]}), 'spec.drivers[0]: Duplicate value: "a"'),
        (CSISTORAGECAPACITIES, capacity(storageClassName="A B"), 'storageClassName: Invalid value: "A B"'),
        (CSISTORAGECAPACITIES, capacity(capacity="-1"), 'capacity: Invalid value: "-1": must be greater than or equal'),
        (VOLUMEATTACHMENTS, attachment(attacher=""), "spec.attacher: Required value"),
        (VOLUMEATTACHMENTS, attachment({"persistentVolumeName": ""}), "must specify non empty"),
        (
            VOLUMEATTACHMENTS,
            attachment({"persistentVolumeName": "v", "inlineVolumeSpec": INLINE}),
            "spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ),
        (
            VOLUMEATTACHMENTS,
            attachment({"inlineVolumeSpec": {**INLINE, "capacity": {"storage": "1"}}}),
            "capacity: Forbidden: may not be specified in the context of inline volumes",
        ),
        (VOLUMEATTACHMENTS, attachment({"inlineVolumeSpec": {}}), "inlineVolumeSpec.csi: Required value"),
        (VOLUMEATTACHMENTS, attachment(nodeName="N 1"), 'spec.nodeName: Invalid value: "N 1"'),
    ],
)
async def test_what_is_wrong_is_refused(client: Client, resource: Resource, obj: Any, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.create(resource, obj)
    assert said in refused.value.message


async def test_a_driver_has_the_defaults_of_kubernetes(client: Client) -> None:
    made = await client.create(CSIDRIVERS, {"metadata": {"name": "disk.example.com"}})
    assert made["spec"] == {
        "attachRequired": True,
        "podInfoOnMount": False,
        "volumeLifecycleModes": ["Persistent"],
        "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "requiresRepublish": False,
        "seLinuxMount": False,
    }
    await client.update(CSIDRIVERS, {**made, "spec": {**made["spec"], "podInfoOnMount": True}})
    with pytest.raises(Invalid, match="attachedRequired: Invalid value: false: field is immutable"):
        await client.patch(CSIDRIVERS, "disk.example.com", {"spec": {"attachRequired": False}})


async def test_a_node_s_driver_stays_as_it_is_but_for_its_volumes(client: Client) -> None:
    await client.create(CSINODES, csi_node(D))
    more = {"name": "other.example.com", "nodeID": "2"}
    changed = {"spec": {"drivers": [{**D, "allocatable": {"count": 5}}, more]}}
    assert (await client.patch(CSINODES, "n1", changed))["spec"]["drivers"][0]["allocatable"] == {"count": 5}
    with pytest.raises(Invalid, match="drivers: Invalid value"):
        await client.patch(CSINODES, "n1", {"spec": {"drivers": [{**D, "nodeID": "3"}]}})


async def test_what_capacities_are_about_does_not_change(client: Client) -> None:
    await client.create(CSISTORAGECAPACITIES, capacity(capacity="1Gi"))
    assert (await client.patch(CSISTORAGECAPACITIES, "c", {"capacity": "2Gi"}, "default"))["capacity"] == "2Gi"
    with pytest.raises(Invalid, match="storageClassName: Invalid value"):
        await client.patch(CSISTORAGECAPACITIES, "c", {"storageClassName": "slow"}, "default")


async def test_an_attachment_is_answered_at_its_status(client: Client) -> None:
    made = await client.create(VOLUMEATTACHMENTS, {**attachment(), "status": {"attached": True}})
    assert made["status"] == {"attached": False}
    with pytest.raises(Invalid, match="field is immutable"):
        await client.patch(VOLUMEATTACHMENTS, "a", {"spec": {"nodeName": "n2"}})
    told = {"status": {"attached": True, "attachmentMetadata": {"device": "/dev/x"}}}
    assert (await client.patch(VOLUMEATTACHMENTS, "a", told))["status"] == {"attached": False}
    assert (await client.patch(VOLUMEATTACHMENTS, "a", told, subresource="status"))["status"] == told["status"]
    wrong = {"status": {"attachError": {"errorCode": -1}}}
    with pytest.raises(Invalid, match="between 0 and 2147483647"):
        await client.patch(VOLUMEATTACHMENTS, "a", wrong, subresource="status")


@pytest.mark.parametrize(
    ("cells", "obj", "expected"),
    [
        (csinodes.RESOURCE.cells, csi_node(D), ["n1", 1, "60m"]),
        (csistoragecapacities.RESOURCE.cells, capacity(), ["c", CREATED["creationTimestamp"]]),
        (volumeattachments.RESOURCE.cells, attachment(), ["a", "disk.example.com", "v", "n1", False, "60m"]),
        (
            csidrivers.RESOURCE.cells,
            driver(
                attachRequired=True,
                podInfoOnMount=False,
                storageCapacity=True,
                volumeLifecycleModes=["Persistent", "Ephemeral"],
            ),
            ["disk.example.com", True, False, True, "<unset>", False, "Persistent,Ephemeral", "60m"],
        ),
    ],
)
def test_rows(cells: Any, obj: dict[str, Any], expected: list[Any]) -> None:
    obj["metadata"] |= CREATED
    assert cells(obj, NOW) == expected


@pytest.mark.parametrize("kind", ["csidrivers", "csinodes", "csistoragecapacities", "volumeattachments"])
async def test_a_kube_scheduler_can_follow_them(http: Http, kind: str) -> None:
    """As client-go asks: protobuf if it may be, else JSON; a list by way of the watch."""
    asks = {"Accept": "application/vnd.kubernetes.protobuf,application/json"}
    listed = await http("GET", f"/apis/storage.k8s.io/v1/{kind}?limit=500&resourceVersion=0", headers=asks)
    assert (listed.code, listed.json["items"]) == (200, [])
    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with http.stream(f"/apis/storage.k8s.io/v1/{kind}?{query}", headers={**asks, **http.defaults}) as watch:
        event = await watch.event()
    assert event["type"] == "BOOKMARK"
    assert event["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
