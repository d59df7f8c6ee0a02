"""PersistentVolumes, their claims and storage classes."""

from __future__ import annotations

from typing import Any

import pytest
from sampan_api.client import PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES, STORAGECLASSES, Client
from sampan_api.clock import parse_time
from sampan_api.errors import Invalid, NotFound
from sampan_master.apiserver.resources.kinds import persistentvolumeclaims, persistentvolumes, storageclasses

NOW = parse_time("2026-01-01T01:00:00Z")
CREATED = "2026-01-01T00:00:00Z"


def volume(**spec: Any) -> dict[str, Any]:
    base = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    return {"metadata": {"name": "v"}, "spec": {**base, **spec}}


def claim(**spec: Any) -> dict[str, Any]:
    base = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": "c", "namespace": "default"}, "spec": {**base, **spec}}


def storage_class(name: str = "fast", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "provisioner": "example.com/disk", **fields}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"accessModes": []}, "spec.accessModes: Required value"),
        ({"accessModes": ["Foo"]}, 'spec.accessModes: Unsupported value: "Foo": supported values: "ReadOnlyMany"'),
        (
            {"accessModes": ["ReadWriteOnce", "ReadWriteOncePod"]},
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
        ),
        ({"capacity": {}}, "spec.capacity: Required value"),
        ({"capacity": {"storage": "0"}}, 'spec.capacity[storage]: Invalid value: "0": must be greater than zero'),
        ({"capacity": {"cpu": "1"}}, 'spec.capacity: Unsupported value: {"cpu":"1"}: supported values: "storage"'),
        ({"persistentVolumeReclaimPolicy": "Foo"}, 'Unsupported value: "Foo": supported values: "Delete", "Recycle"'),
        ({"hostPath": None}, "spec: Required value: must specify a volume type"),
        ({"nfs": {"server": "s", "path": "/"}}, "spec.nfs: Forbidden: may not specify more than 1 volume type"),
        ({"hostPath": None, "nfs": {"path": "/"}}, "spec.nfs.server: Required value"),
        ({"hostPath": None, "local": {"path": "/d"}}, "spec.nodeAffinity: Required value: Local volume requires node"),
        ({"hostPath": {"path": "/a/../b"}}, "spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"),
        ({"nodeAffinity": {}}, "spec.nodeAffinity.required: Required value: must specify required node constraints"),
        ({"volumeMode": "Foo"}, 'spec.volumeMode: Unsupported value: "Foo": supported values: "Block", "Filesystem"'),
        ({"volumeAttributesClassName": "gold"}, "spec.csi: Required value: has to be specified when using"),
        ({"storageClassName": "A B"}, 'spec.storageClassName: Invalid value: "A B"'),
    ],
)
async def test_a_wrong_volume_is_refused(client: Client, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.create(PERSISTENTVOLUMES, volume(**spec))
    assert said in refused.value.message


async def test_where_a_volume_lies_does_not_change(client: Client) -> None:
    await client.create(PERSISTENTVOLUMES, volume())
    with pytest.raises(Invalid, match=r"spec.persistentvolumesource is immutable after creation\n- hostPath: "):
        await client.patch(PERSISTENTVOLUMES, "v", {"spec": {"hostPath": {"path": "/y"}}})
    with pytest.raises(Invalid, match='volumeMode: Invalid value: "Block": field is immutable'):
        await client.patch(PERSISTENTVOLUMES, "v", {"spec": {"volumeMode": "Block"}})
    larger = await client.patch(PERSISTENTVOLUMES, "v", {"spec": {"capacity": {"storage": "2Gi"}}})
    assert larger["spec"]["capacity"] == {"storage": "2Gi"}


async def test_a_source_is_completed(client: Client) -> None:
    disk = {"monitors": ["10.0.0.1"], "image": "i"}
    made = await client.create(PERSISTENTVOLUMES, volume(hostPath=None, rbd=disk))
    assert made["spec"]["rbd"] == {**disk, "pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}


async def test_protection_holds_a_bound_volume_and_nothing_else(client: Client) -> None:
    made = await client.create(PERSISTENTVOLUMES, volume())
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    await client.update(PERSISTENTVOLUMES, {**made, "status": {"phase": "Bound"}}, "status")
    going = await client.delete(PERSISTENTVOLUMES, "v")
    assert going["metadata"]["deletionTimestamp"]
    await client.update(PERSISTENTVOLUMES, {**going, "status": {"phase": "Released"}}, "status")
    with pytest.raises(NotFound):
        await client.get(PERSISTENTVOLUMES, "v")
    await client.create(PERSISTENTVOLUMECLAIMS, claim(), "default")
    assert (await client.delete(PERSISTENTVOLUMECLAIMS, "c", "default"))["kind"] == "PersistentVolumeClaim"
    with pytest.raises(NotFound):
        await client.get(PERSISTENTVOLUMECLAIMS, "c", "default")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"accessModes": []}, "spec.accessModes: Required value: at least 1 access mode is required"),
        ({"resources": {}}, "spec.resources[storage]: Required value"),
        ({"resources": {"requests": {"storage": "-1"}}}, 'Invalid value: "-1": must be greater than zero'),
        ({"dataSource": {"kind": "Foo", "name": "x"}}, "must be 'PersistentVolumeClaim' when referencing the default"),
        (
            {
                "dataSource": {"kind": "PersistentVolumeClaim", "name": "x"},
                "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "y"},
            },
            'spec: Invalid value: "spec.dataSource": must match dataSourceRef',
        ),
        ({"selector": {"matchLabels": {"a b": "c"}}}, 'spec.selector.matchLabels: Invalid value: "a b"'),
    ],
)
async def test_a_wrong_claim_is_refused(client: Client, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.create(PERSISTENTVOLUMECLAIMS, claim(**spec), "default")
    assert said in refused.value.message


async def test_a_claim_may_grow_only_once_it_is_bound(client: Client) -> None:
    made = await client.create(PERSISTENTVOLUMECLAIMS, claim(), "default")
    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    with pytest.raises(Invalid, match=r"spec is immutable after creation except resources.requests"):
        await client.patch(PERSISTENTVOLUMECLAIMS, "c", larger, "default")
    bound = {**made, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    await client.update(PERSISTENTVOLUMECLAIMS, bound, "status")
    grown = await client.patch(PERSISTENTVOLUMECLAIMS, "c", larger, "default")
    assert grown["spec"]["resources"]["requests"] == {"storage": "2Gi"}
    smaller = {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    with pytest.raises(Invalid, match=r"field can not be less than status.capacity"):
        await client.patch(PERSISTENTVOLUMECLAIMS, "c", smaller, "default")


async def test_a_claim_says_what_it_starts_with_in_both_ways(client: Client) -> None:
    source = {"kind": "PersistentVolumeClaim", "name": "x"}
    made = await client.create(PERSISTENTVOLUMECLAIMS, claim(dataSource=source), "default")
    assert made["spec"]["dataSourceRef"] == source


async def test_a_claim_without_class_gets_the_default_one(client: Client) -> None:
    default = storage_class("std")
    default["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    await client.create(STORAGECLASSES, storage_class())
    await client.create(STORAGECLASSES, default)
    assert (await client.create(PERSISTENTVOLUMECLAIMS, claim(), "default"))["spec"]["storageClassName"] == "std"
    none = claim(storageClassName="")
    none["metadata"]["name"] = "none"
    assert (await client.create(PERSISTENTVOLUMECLAIMS, none, "default"))["spec"]["storageClassName"] == ""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"provisioner": ""}, "provisioner: Required value"),
        (
            {"reclaimPolicy": "Recycle"},
            'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
        ),
        ({"volumeBindingMode": "Foo"}, 'volumeBindingMode: Unsupported value: "Foo": supported values: "Immediate"'),
        (
            {"allowedTopologies": [{"matchLabelExpressions": [{"key": "zone"}]}]},
            "allowedTopologies[0].matchLabelExpressions[0].values: Required value",
        ),
        (
            {"allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": []}]}]},
            "allowedTopologies[0].matchLabelExpressions[0].values: Required value",
        ),
    ],
)
async def test_a_wrong_class_is_refused(client: Client, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.create(STORAGECLASSES, storage_class(**fields))
    assert said in refused.value.message


async def test_a_class_is_what_it_was_made_as(client: Client) -> None:
    made = await client.create(STORAGECLASSES, storage_class())
    assert (made["reclaimPolicy"], made["volumeBindingMode"]) == ("Delete", "Immediate")
    for patch, said in (
        ({"provisioner": "x/y"}, "provisioner: Forbidden: updates to provisioner are forbidden."),
        ({"parameters": {"a": "b"}}, "parameters: Forbidden: updates to parameters are forbidden."),
        ({"reclaimPolicy": "Retain"}, "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden."),
        ({"volumeBindingMode": "WaitForFirstConsumer"}, "field is immutable"),
    ):
        with pytest.raises(Invalid) as refused:
            await client.patch(STORAGECLASSES, "fast", patch)
        assert said in refused.value.message


def test_volumes_claims_and_classes_show_themselves() -> None:
    metadata = {"name": "x", "creationTimestamp": CREATED}
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"namespace": "n", "name": "c"},
        "storageClassName": "fast",
        "volumeMode": "Block",
    }
    obj = {"metadata": metadata, "spec": spec, "status": {"phase": "Failed", "reason": "Lost"}}
    shown = persistentvolumes.RESOURCE.cells(obj, NOW)
    assert shown == ["x", "1Gi", "RWO,RWX", "Retain", "Failed", "n/c", "fast", "<unset>", "Lost", "60m", "Block"]
    wish = {"metadata": metadata, "spec": claim()["spec"], "status": {"phase": "Pending"}}
    shown = persistentvolumeclaims.RESOURCE.cells(wish, NOW)
    assert shown == ["x", "Pending", "", "", "", "", "<unset>", "60m", "<unset>"]
    granted = {**wish, "spec": {**wish["spec"], "volumeName": "v", "volumeMode": "Filesystem"}}
    granted["status"] = {"phase": "Bound", "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"]}
    shown = persistentvolumeclaims.RESOURCE.cells(granted, NOW)
    assert shown == ["x", "Bound", "v", "2Gi", "RWO", "", "<unset>", "60m", "Filesystem"]
    default = {**metadata, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    shown = storageclasses.RESOURCE.cells({"metadata": default, "provisioner": "p"}, NOW)
    assert shown == ["x (default)", "p", "Delete", "Immediate", False, "60m"]
