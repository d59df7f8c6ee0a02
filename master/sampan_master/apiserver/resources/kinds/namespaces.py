"""Namespace: the door to everything namespaced; goes only when it is empty (spec.finalizers, see the controller)."""

from __future__ import annotations

from typing import Any

from sampan_api.client import NAMESPACES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import (
    ALL_VERBS,
    ResourceType,
    Subresource,
    has_finalizers,
    status_of,
)
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.metadata import finalizer_names
from sampan_master.apiserver.validation.names import dns_label_name

_NAME_LABEL = "kubernetes.io/metadata.name"


def _default(obj: Object) -> None:
    name = obj["metadata"].get("name")
    if name:
        labels = obj["metadata"].get("labels") or {}
        obj["metadata"]["labels"] = {**labels, _NAME_LABEL: name}


def _prepare_create(obj: Object) -> None:
    obj["metadata"]["labels"] = {
        **(obj["metadata"].get("labels") or {}),
        _NAME_LABEL: obj["metadata"].get("name", ""),
    }
    finalizers = (obj.get("spec") or {}).get("finalizers") or []
    obj["spec"] = {"finalizers": [*(f for f in finalizers if f != "kubernetes"), "kubernetes"]}
    obj["status"] = {"phase": "Active"}


def _validate_create(obj: Object) -> Errors:
    yield from finalizer_names(obj["spec"]["finalizers"], "spec.finalizers")


def _prepare_update(new: Object, old: Object) -> None:
    """spec.finalizers belong to /finalize, and there is nothing else in the spec."""
    new["spec"] = old.get("spec") or {}


def _lingers(obj: Object) -> bool:
    return has_finalizers(obj) or bool((obj.get("spec") or {}).get("finalizers"))


def _mark_deleted(obj: Object) -> None:
    obj["metadata"].pop("deletionGracePeriodSeconds", None)
    obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}


def _phase(obj: Object) -> str:
    return str((obj.get("status") or {}).get("phase", ""))


def _cells(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], _phase(obj), age(obj, now)]


RESOURCE = ResourceType(
    resource=NAMESPACES,
    singular="namespace",
    short_names=("ns",),
    verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    subresources=(Subresource("finalize", "Namespace", ("update",)), status_of("Namespace")),
    separate_status=True,
    name_rule=dns_label_name,
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate_create,
    lingers=_lingers,
    mark_deleted=_mark_deleted,
    answers_object=True,
    protected=frozenset({"default", "kube-system", "kube-public"}),
    columns=(NAME_COLUMN, Column("Status"), AGE_COLUMN),
    cells=_cells,
    field_selectors={"status.phase": _phase},
)
