"""Service: one name and address for the pods that its selector finds.

Addresses and ports are given out by the server (`service_addresses`); nothing routes to them yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sampan_api.client import SERVICES
from sampan_api.meta import Object

from sampan_master.apiserver.defaults.services import (
    EXTERNAL_NAME,
    LOAD_BALANCER,
    Spec,
    carry_over,
    complete_new,
    default_service,
    is_headless,
)
from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age, label_text
from sampan_master.apiserver.resources.kinds.service_addresses import ADDRESSES
from sampan_master.apiserver.resources.resource_type import ResourceType, status_of
from sampan_master.apiserver.validation.conditions import validate_conditions
from sampan_master.apiserver.validation.fields import Errors, forbidden
from sampan_master.apiserver.validation.names import dns_label
from sampan_master.apiserver.validation.services import (
    validate_balancer_status,
    validate_service,
    validate_service_update,
)


def _prepare_create(obj: Object) -> None:
    complete_new(obj["spec"])
    obj["status"] = {"loadBalancer": {}}


def _prepare_update(new: Object, old: Object) -> None:
    carry_over(new["spec"], old["spec"])
    if new["spec"]["type"] != LOAD_BALANCER:
        new["status"] = {**(old.get("status") or {}), "loadBalancer": {}}


def _prepare_status(new: Object, old: Object) -> None:
    balancer = new.setdefault("status", {}).setdefault("loadBalancer", {})
    for ingress in balancer.get("ingress") or []:
        if ingress.get("ip"):
            ingress.setdefault("ipMode", "VIP")


def _validate_status(new: Object, old: Object) -> Errors:
    status = new.get("status") or {}
    if (status.get("loadBalancer") or {}).get("ingress") and new["spec"]["type"] != LOAD_BALANCER:
        yield forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")
    else:
        yield from validate_balancer_status(status)
    yield from validate_conditions(status.get("conditions") or [], "status.conditions")


def _warnings(obj: Object) -> Iterator[str]:
    spec = obj["spec"]
    if is_headless(spec):
        for field in ("loadBalancerIP", "externalIPs"):
            if spec.get(field):
                yield f'spec.{field} is ignored when spec.clusterIP is "None"'
        if spec["sessionAffinity"] != "None":
            yield 'spec.SessionAffinity is ignored when spec.clusterIP is "None"'
    if spec["type"] == EXTERNAL_NAME and spec.get("externalIPs"):
        yield f'spec.externalIPs is ignored when spec.type is "{EXTERNAL_NAME}"'
    if spec["type"] != EXTERNAL_NAME and spec.get("externalName"):
        yield f'spec.externalName is ignored when spec.type is not "{EXTERNAL_NAME}"'


def _external(spec: Spec, status: dict[str, Any]) -> str:
    if spec["type"] == EXTERNAL_NAME:
        return str(spec.get("externalName", ""))
    addresses = list(spec.get("externalIPs") or [])
    if spec["type"] == LOAD_BALANCER:
        ingress = (status.get("loadBalancer") or {}).get("ingress") or []
        addresses = sorted({point.get("ip") or point.get("hostname", "") for point in ingress}) + addresses
    return ",".join(addresses) or ("<pending>" if spec["type"] == LOAD_BALANCER else "<none>")


def _port(port: dict[str, Any]) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port['protocol']}"


def _cells(obj: Object, now: float) -> list[Any]:
    spec = obj["spec"]
    return [
        obj["metadata"]["name"],
        spec["type"],
        (spec.get("clusterIPs") or ["<none>"])[0],
        _external(spec, obj.get("status") or {}),
        ",".join(map(_port, spec.get("ports") or [])) or "<none>",
        age(obj, now),
        label_text(spec.get("selector") or {}),
    ]


RESOURCE = ResourceType(
    resource=SERVICES,
    singular="service",
    short_names=("svc",),
    categories=("all",),
    subresources=(status_of("Service"),),
    separate_status=True,
    create_on_update=True,
    idle=True,
    answers_object=True,
    name_rule=dns_label,
    default=default_service,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=validate_service,
    validate_update=validate_service_update,
    validate_status=_validate_status,
    allocator=ADDRESSES,
    columns=(
        NAME_COLUMN,
        Column("Type"),
        Column("Cluster-IP"),
        Column("External-IP"),
        Column("Port(s)"),
        AGE_COLUMN,
        Column("Selector", wide=True),
    ),
    cells=_cells,
    field_selectors={
        "spec.clusterIP": lambda obj: str(obj["spec"].get("clusterIP", "")),
        "spec.type": lambda obj: str(obj["spec"].get("type", "")),
    },
    warnings=_warnings,
)
