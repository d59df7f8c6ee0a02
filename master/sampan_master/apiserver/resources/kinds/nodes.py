"""Node: a machine that runs pods. Taints by condition are the node controller's, podCIDR the CIDR controller's."""

from __future__ import annotations

from typing import Any

from sampan_api.client import NODES
from sampan_api.meta import Object, condition, labels

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType, status_of
from sampan_master.apiserver.validation.addresses import validate_network
from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid
from sampan_master.apiserver.validation.podspec import validate_taints
from sampan_master.apiserver.validation.resources import validate_capacity

_ROLE_PREFIX = "node-role.kubernetes.io/"
_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    _complete_status(obj)


def _complete_status(obj: Object) -> None:
    """What the real server prints even when nothing was said."""
    status = obj.setdefault("status", {})
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    info = status.get("nodeInfo") or {}
    status["nodeInfo"] = {**dict.fromkeys(_NODE_INFO, ""), **info}
    for item in status.get("conditions") or []:
        item.setdefault("lastHeartbeatTime", None)
        item.setdefault("lastTransitionTime", None)


def _prepare_status(new: Object, old: Object) -> None:
    _complete_status(new)


def _validate(obj: Object) -> Errors:
    # The real server reports taints under metadata, and tools have learnt to look there.
    spec = obj.get("spec") or {}
    yield from validate_taints(spec.get("taints") or [], "metadata.taints")
    yield from _validate_pod_cidrs(spec.get("podCIDRs") or [])
    status = obj.get("status") or {}
    for field in ("capacity", "allocatable"):
        yield from validate_capacity(status.get(field) or {}, f"status.{field}")


def _validate_pod_cidrs(cidrs: list[str]) -> Errors:
    wrong = [error for i, text in enumerate(cidrs) for error in validate_network(text, f"spec.podCIDRs[{i}]")]
    yield from wrong
    if not wrong and len({":" in text for text in cidrs}) != len(cidrs):
        yield invalid("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family")


def _validate_update(new: Object, old: Object) -> Errors:
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if before.get("podCIDRs") and spec.get("podCIDRs") != before["podCIDRs"]:
        yield forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        yield forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')


def _status_text(obj: Object) -> str:
    ready = condition(obj, "Ready")
    said = "Unknown" if ready is None else {"True": "Ready"}.get(ready.get("status", ""), "NotReady")
    return said + (",SchedulingDisabled" if (obj.get("spec") or {}).get("unschedulable") else "")


def _roles(obj: Object) -> str:
    roles = set()
    for key, value in labels(obj).items():
        if key.startswith(_ROLE_PREFIX) and len(key) > len(_ROLE_PREFIX):
            roles.add(key.removeprefix(_ROLE_PREFIX))
        elif key == "kubernetes.io/role" and value:
            roles.add(value)
    return ",".join(sorted(roles)) or "<none>"


def _address(obj: Object, type_: str) -> str:
    for address in (obj.get("status") or {}).get("addresses") or []:
        if address.get("type") == type_:
            return str(address.get("address", ""))
    return "<none>"


def _cells(obj: Object, now: float) -> list[Any]:
    info = (obj.get("status") or {}).get("nodeInfo") or {}
    kernel, architecture = info.get("kernelVersion", ""), info.get("architecture", "")
    return [
        obj["metadata"]["name"],
        _status_text(obj),
        _roles(obj),
        age(obj, now),
        info.get("kubeletVersion", ""),
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.get("osImage") or "<unknown>",
        (f"{kernel} ({architecture})" if architecture else kernel) if kernel else "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _unschedulable(obj: Object) -> str:
    return "true" if (obj.get("spec") or {}).get("unschedulable") else "false"


RESOURCE = ResourceType(
    resource=NODES,
    singular="node",
    short_names=("no",),
    subresources=(status_of("Node"),),
    default=_default,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=_validate_update,
    columns=(
        NAME_COLUMN,
        Column("Status"),
        Column("Roles"),
        AGE_COLUMN,
        Column("Version"),
        Column("Internal-IP", wide=True),
        Column("External-IP", wide=True),
        Column("OS-Image", wide=True),
        Column("Kernel-Version", wide=True),
        Column("Container-Runtime", wide=True),
    ),
    cells=_cells,
    field_selectors={"spec.unschedulable": _unschedulable},
)
