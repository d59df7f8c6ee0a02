"""CertificateSigningRequest: asked for by anybody, decided at `/approval`, answered at `/status`.

The server writes who asked; nothing of the spec changes afterwards. `/approval` writes conditions only, `/status`
everything but the decisions Approved and Denied.
"""

from __future__ import annotations

from typing import Any

from sampan_api.client import CERTIFICATESIGNINGREQUESTS
from sampan_api.clock import rfc3339
from sampan_api.meta import Object

from sampan_master.apiserver.resources.ages import human_duration
from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import (
    STATUS_VERBS,
    ResourceType,
    Subresource,
    nothing_observed,
    status_of,
)
from sampan_master.apiserver.validation.certificates import (
    APPROVED,
    DENIED,
    FAILED,
    validate_request,
    validate_status,
)
from sampan_master.apiserver.validation.names import path_segment


def _prepare_update(new: Object, old: Object) -> None:
    new["spec"] = old["spec"]


def _prepare_status(new: Object, old: Object) -> None:
    """A status writer that read an older decision does not change it by that."""
    conditions = new.setdefault("status", {}).get("conditions") or []
    before = (old.get("status") or {}).get("conditions") or []
    for type_ in (APPROVED, DENIED):
        kept = [condition for condition in before if condition["type"] == type_]
        places = [i for i, condition in enumerate(conditions) if condition["type"] == type_]
        if len(kept) == len(places):
            for place, condition in zip(places, kept, strict=True):
                conditions[place] = condition


def _stamp(new: Object, old: Object, now: float) -> None:
    before = (old.get("status") or {}).get("conditions") or []
    for condition in (new.get("status") or {}).get("conditions") or []:
        condition["lastUpdateTime"] = condition.get("lastUpdateTime") or rfc3339(now)
        if not condition.get("lastTransitionTime"):
            same = (c for c in before if (c["type"], c["status"]) == (condition["type"], condition["status"]))
            earlier = next((c["lastTransitionTime"] for c in same if c.get("lastTransitionTime")), "")
            condition["lastTransitionTime"] = earlier or rfc3339(now)


def _cells(obj: Object, now: float) -> list[Any]:
    spec = obj["spec"]
    seconds = spec.get("expirationSeconds")
    return [
        obj["metadata"]["name"],
        age(obj, now),
        spec.get("signerName") or "<none>",
        spec.get("username", ""),
        "<none>" if seconds is None else human_duration(seconds),
        _condition(obj.get("status") or {}),
    ]


def _condition(status: dict[str, Any]) -> str:
    types = {condition["type"] for condition in status.get("conditions") or []}
    said = "Denied" if DENIED in types else "Approved" if APPROVED in types else "Pending"
    return said + (",Failed" if FAILED in types else "") + (",Issued" if status.get("certificate") else "")


def _signer(obj: Object) -> str:
    return str(obj["spec"].get("signerName", ""))


RESOURCE = ResourceType(
    resource=CERTIFICATESIGNINGREQUESTS,
    singular="certificatesigningrequest",
    short_names=("csr",),
    subresources=(
        Subresource("approval", "CertificateSigningRequest", STATUS_VERBS),
        status_of("CertificateSigningRequest"),
    ),
    separate_status=True,
    name_rule=path_segment,
    prepare_create=nothing_observed,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    stamp=_stamp,
    validate=validate_request,
    validate_status=validate_status,
    columns=(
        NAME_COLUMN,
        AGE_COLUMN,
        Column("SignerName"),
        Column("Requestor"),
        Column("RequestedDuration"),
        Column("Condition"),
    ),
    cells=_cells,
    field_selectors={"spec.signerName": _signer},
    idle=True,
)
