"""Pod: the unit of scheduling. Its status comes from its node, its place from the scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan_api import meta
from sampan_api.client import PODS
from sampan_api.meta import Object
from sampan_api.qos import qos_class

from sampan_master.apiserver.defaults.podspec import default_pod_spec
from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column
from sampan_master.apiserver.resources.kinds.api_access import without_name
from sampan_master.apiserver.resources.kinds.label_keys import merge_label_keys
from sampan_master.apiserver.resources.kinds.pod_cells import pod_cells, row_conditions
from sampan_master.apiserver.resources.memo import Memo, text_of
from sampan_master.apiserver.resources.resource_type import STATUS_VERBS, ResourceType, Subresource, status_of
from sampan_master.apiserver.resources.unused_fields import pod_spec_warnings
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.gates import CONDITION, is_gated
from sampan_master.apiserver.validation.podspec import validate_new_pod, validate_pod_spec, validate_pod_update


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    default_pod_spec(spec)
    # Of pods only: a template does without.
    spec.setdefault("enableServiceLinks", True)


def _prepare_create(obj: Object) -> None:
    merge_label_keys(obj["spec"], meta.labels(obj))
    obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
    if is_gated(obj):
        obj["status"]["conditions"] = [dict(CONDITION)]


def _prepare_status(new: Object, old: Object) -> None:
    """The class is the server's; a status without it does not take it away."""
    before = (old.get("status") or {}).get("qosClass")
    if before:
        new.setdefault("status", {}).setdefault("qosClass", before)


_FLAWLESS: Memo[list[str]] = Memo()
"""The warnings of specs that have no errors, by their text; the token volume's name is made anew for each pod."""


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    text = _text(spec)
    if _FLAWLESS.get(text) is None:
        errors = list(validate_pod_spec(spec))
        if not errors:
            _FLAWLESS.keep(text, _warnings_of(spec))
        yield from errors


def _text(spec: dict[str, Any]) -> bytes:
    return without_name(spec, text_of(spec))


def _grace(obj: Object, asked: int | None) -> int:
    """Pods that run nowhere have nothing to end; a negative time counts as one second."""
    spec = obj["spec"]
    if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    grace = spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked
    return 1 if grace < 0 else int(grace)


def _warnings(obj: Object) -> list[str]:
    spec = obj["spec"]
    known = _FLAWLESS.get(_text(spec))
    return _warnings_of(spec) if known is None else known


def _warnings_of(spec: dict[str, Any]) -> list[str]:
    secrets = enumerate(spec.get("imagePullSecrets") or [])
    said = [f'spec.imagePullSecrets[{i}].name: invalid empty name ""' for i, ref in secrets if not ref.get("name")]
    return said + pod_spec_warnings(spec, "spec")


def _spec(field: str, absent: str = "") -> Callable[[Object], str]:
    return lambda obj: str(obj["spec"].get(field) or absent)


def _status(field: str) -> Callable[[Object], str]:
    return lambda obj: str((obj.get("status") or {}).get(field) or "")


def _host_network(obj: Object) -> str:
    return "true" if obj["spec"].get("hostNetwork") else "false"


def _pod_ips(obj: Object) -> str:
    return ",".join(ip.get("ip", "") for ip in (obj.get("status") or {}).get("podIPs") or [])


_STREAM_VERBS = ("create", "get")

RESOURCE = ResourceType(
    resource=PODS,
    singular="pod",
    short_names=("po",),
    categories=("all",),
    subresources=(
        Subresource("attach", "PodAttachOptions", _STREAM_VERBS),
        Subresource("binding", "Binding", ("create",)),
        Subresource("ephemeralcontainers", "Pod", STATUS_VERBS),
        Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
        Subresource("exec", "PodExecOptions", _STREAM_VERBS),
        Subresource("log", "Pod", ("get",)),
        Subresource("portforward", "PodPortForwardOptions", _STREAM_VERBS),
        Subresource("resize", "Pod", STATUS_VERBS),
        status_of("Pod"),
    ),
    generation=True,
    separate_status=True,
    default=_default,
    prepare_create=_prepare_create,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_create=validate_new_pod,
    validate_update=validate_pod_update,
    grace=_grace,
    answers_object=True,
    columns=(
        NAME_COLUMN,
        Column("Ready"),
        Column("Status"),
        Column("Restarts"),
        AGE_COLUMN,
        Column("IP", wide=True),
        Column("Node", wide=True),
        Column("Nominated Node", wide=True),
        Column("Readiness Gates", wide=True),
    ),
    cells=pod_cells,
    row_conditions=row_conditions,
    field_selectors={
        "spec.nodeName": _spec("nodeName"),
        # Its name before there was a v1.
        "spec.host": _spec("nodeName"),
        "spec.restartPolicy": _spec("restartPolicy"),
        "spec.schedulerName": _spec("schedulerName"),
        "spec.serviceAccountName": _spec("serviceAccountName"),
        "spec.hostNetwork": _host_network,
        "status.phase": _status("phase"),
        "status.podIP": _status("podIP"),
        "status.podIPs": _pod_ips,
        "status.nominatedNodeName": _status("nominatedNodeName"),
    },
    warnings=_warnings,
)
