"""StatefulSet: numbered pods, each with a name and storage of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sampan_api.client import STATEFULSETS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.kinds.persistentvolumeclaims import default_claim_spec
from sampan_master.apiserver.resources.resource_type import SCALE_SUBRESOURCE, ResourceType, status_of
from sampan_master.apiserver.resources.templates import (
    CONTAINER_COLUMNS,
    container_cells,
    default_template,
    workload_warnings,
)
from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, one_of, required
from sampan_master.apiserver.validation.names import complain, dns_label, dns_label_name
from sampan_master.apiserver.validation.numbers import count_or_percent, non_negative, not_above_all, share
from sampan_master.apiserver.validation.persistent import validate_claim
from sampan_master.apiserver.validation.replica_status import validate_collisions, validate_counts, validate_parts
from sampan_master.apiserver.validation.strategies import rolling_update_as_go_has_it, strategy_as_go_has_it
from sampan_master.apiserver.validation.templates import validate_selected_template

_ABSENT = {"partition": 0, "maxUnavailable": None}
_PARTS = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
_COUNTS = ("replicas", *_PARTS, "observedGeneration", "collisionCount")
_RETENTIONS = ("Retain", "Delete")
_CHANGEABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def _default(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    default_template(spec)
    for claim in spec.get("volumeClaimTemplates") or []:
        claim.update({"kind": "PersistentVolumeClaim", "apiVersion": "v1"})
        default_claim_spec(claim["spec"])
        claim["status"].setdefault("phase", "Pending")
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = spec["updateStrategy"]
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for field in ("whenDeleted", "whenScaled"):
        if not retention.get(field):
            retention[field] = "Retain"
    spec.setdefault("revisionHistoryLimit", 10)


def _prepare_create(obj: Object) -> None:
    obj["status"] = {"replicas": 0, "availableReplicas": 0}


def _prepare_status(new: Object, old: Object) -> None:
    new["status"] = {"replicas": 0, "availableReplicas": 0, **(new.get("status") or {})}


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    policy = spec["podManagementPolicy"]
    if policy not in ("OrderedReady", "Parallel"):
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    yield from _strategy(spec["updateStrategy"], "spec.updateStrategy")
    for field, choice in spec["persistentVolumeClaimRetentionPolicy"].items():
        yield from one_of(choice, _RETENTIONS, f"spec.persistentVolumeClaimRetentionPolicy.{field}")
    yield from non_negative(spec["replicas"], "spec.replicas")
    yield from non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    yield from non_negative((spec.get("ordinals") or {}).get("start"), "spec.ordinals.start")
    said = "empty selector is invalid for statefulset"
    yield from validate_selected_template(_with_claimed_volumes(spec), said, "StatefulSet")


def _with_claimed_volumes(spec: dict[str, Any]) -> dict[str, Any]:
    """Pods may mount what the claims will give them; a claim takes the place of a volume of its name."""
    claims = [claim["metadata"].get("name", "") for claim in spec.get("volumeClaimTemplates") or []]
    if not claims:
        return spec
    pod = spec["template"]["spec"]
    volumes = [volume for volume in pod.get("volumes") or [] if volume.get("name") not in claims]
    volumes += [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims if name]
    return {**spec, "template": {**spec["template"], "spec": {**pod, "volumes": volumes}}}


def _strategy(strategy: dict[str, Any], path: str) -> Errors:
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "OnDelete":
        if rolling is not None:
            shown = rolling_update_as_go_has_it(rolling, _ABSENT)
            yield invalid(f"{path}.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'")
    elif strategy["type"] == "RollingUpdate":
        if rolling is not None:
            yield from _rolling_update(rolling, f"{path}.rollingUpdate")
    else:
        yield invalid(path, strategy_as_go_has_it(strategy, _ABSENT), "must be 'RollingUpdate' or 'OnDelete'")


def _rolling_update(rolling: dict[str, Any], path: str) -> Errors:
    yield from non_negative(rolling.get("partition"), f"{path}.partition")
    missing = rolling.get("maxUnavailable")
    if missing is None:
        return
    yield from count_or_percent(missing, f"{path}.maxUnavailable")
    if share(missing) == 0:
        yield invalid(f"{path}.maxUnavailable", missing, "cannot be 0")
    yield from not_above_all(missing, f"{path}.maxUnavailable")


def _validate_create(obj: Object) -> Errors:
    for index, claim in enumerate(obj["spec"].get("volumeClaimTemplates") or []):
        path = f"spec.volumeClaimTemplates[{index}]"
        if not claim["metadata"].get("name"):
            yield required(f"{path}.metadata.name")
        for error in validate_claim(claim):
            yield replace(error, path=f"{path}.{error.path}")
    service = obj["spec"].get("serviceName")
    if service:
        yield from complain("spec.serviceName", service, dns_label(service))


def _validate_update(new: Object, old: Object) -> Errors:
    spec, before = new["spec"], old["spec"]
    fixed = (spec.keys() | before.keys()) - set(_CHANGEABLE)
    if any(spec.get(field) != before.get(field) for field in fixed):
        *first, last = (f"'{field}'" for field in _CHANGEABLE)
        allowed = f"{', '.join(first)} and {last}"
        yield forbidden("spec", f"updates to statefulset spec for fields other than {allowed} are forbidden")


def _validate_status(new: Object, old: Object) -> Errors:
    status = new["status"]
    yield from validate_counts(status, _COUNTS)
    yield from validate_parts(status, _PARTS, "status.readyReplicas")
    yield from validate_collisions(new, old)


def _warnings(obj: Object) -> list[str]:
    said = workload_warnings(obj)
    if obj["spec"].get("revisionHistoryLimit", 0) < 0:
        said.append(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
        )
    return said


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        age(obj, now),
        *container_cells(spec["template"]),
    ]


RESOURCE = ResourceType(
    resource=STATEFULSETS,
    singular="statefulset",
    short_names=("sts",),
    categories=("all",),
    subresources=(SCALE_SUBRESOURCE, status_of("StatefulSet")),
    generation=True,
    separate_status=True,
    idle=True,
    name_rule=dns_label_name,
    default=_default,
    prepare_create=_prepare_create,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_create=_validate_create,
    validate_update=_validate_update,
    validate_status=_validate_status,
    columns=(NAME_COLUMN, Column("Ready"), AGE_COLUMN, *CONTAINER_COLUMNS),
    cells=_cells,
    warnings=_warnings,
)
