"""The pod spec as a whole, and the few things of it that may change."""

from __future__ import annotations

from typing import Any

from sampan_api import meta
from sampan_api.deletion_cost import COST, parse_deletion_cost
from sampan_api.meta import Object

from sampan_master.apiserver.validation.affinity import validate_affinity, validate_spread
from sampan_master.apiserver.validation.containers import validate_containers, validate_seccomp
from sampan_master.apiserver.validation.ephemeral import validate_ephemeral_containers
from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, one_of, required, unsupported
from sampan_master.apiserver.validation.gates import (
    is_gated,
    validate_gated_creation,
    validate_gates,
    validate_gates_update,
    without_what_may_change,
)
from sampan_master.apiserver.validation.names import (
    complain,
    dns_label,
    dns_subdomain,
    ip_address,
    label_map,
    qualified_name,
)
from sampan_master.apiserver.validation.numbers import MAX_INT32, between, non_negative, user_id
from sampan_master.apiserver.validation.updates import differences
from sampan_master.apiserver.validation.volumes import validate_volumes

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def validate_pod_spec(spec: dict[str, Any], path: str = "spec") -> Errors:
    volumes = yield from validate_volumes(spec.get("volumes") or [], f"{path}.volumes")
    yield from validate_containers(spec, path, volumes)
    yield from validate_ephemeral_containers(spec, path, volumes)
    yield from one_of(spec.get("restartPolicy", ""), _RESTART_POLICIES, f"{path}.restartPolicy")
    yield from one_of(spec.get("dnsPolicy", ""), _DNS_POLICIES, f"{path}.dnsPolicy")
    yield from label_map(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    yield from _security(spec.get("securityContext") or {}, f"{path}.securityContext")
    yield from validate_affinity(spec.get("affinity") or {}, f"{path}.affinity")
    for field in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        if spec.get(field):
            yield from complain(f"{path}.{field}", spec[field], dns_subdomain(spec[field]))
    yield from between(spec.get("activeDeadlineSeconds"), 1, MAX_INT32, f"{path}.activeDeadlineSeconds")
    for field in ("hostname", "subdomain"):
        value = spec.get(field)
        if value:
            complaints = ["must not contain dots"] if "." in value else dns_label(value)
            yield from complain(f"{path}.{field}", value, complaints)
    yield from validate_tolerations(spec.get("tolerations") or [], f"{path}.tolerations")
    yield from _host_aliases(spec.get("hostAliases") or [], f"{path}.hostAliases")
    yield from validate_gates(spec.get("schedulingGates") or [], f"{path}.schedulingGates")
    yield from validate_spread(spec.get("topologySpreadConstraints") or [], f"{path}.topologySpreadConstraints")


def validate_new_pod(obj: Object) -> Errors:
    spec = obj["spec"]
    yield from validate_deletion_cost(meta.annotations(obj), "metadata.annotations")
    if spec.get("ephemeralContainers"):
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")
    yield from validate_gated_creation(obj)


def validate_deletion_cost(annotations: dict[str, str], path: str) -> Errors:
    text = annotations.get(COST)
    if text is not None and parse_deletion_cost(text) is None:
        yield invalid(f"{path}[{COST}]", text, "must be a 32bit integer")


def _security(context: dict[str, Any], path: str) -> Errors:
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        yield from user_id(context.get(field), f"{path}.{field}")
    for index, group in enumerate(context.get("supplementalGroups") or []):
        yield from user_id(group, f"{path}.supplementalGroups[{index}]")
    yield from validate_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile")


def validate_tolerations(tolerations: list[dict[str, Any]], path: str) -> Errors:
    for index, toleration in enumerate(tolerations):
        at = f"{path}[{index}]"
        key, operator, effect = (toleration.get(field, "") for field in ("key", "operator", "effect"))
        if key:
            yield from complain(f"{at}.key", key, qualified_name(key))
        elif operator != "Exists":
            yield invalid(
                f"{at}.operator",
                operator,
                'operator must be Exists when `key` is empty, which means "match all values and all keys"',
            )
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            yield invalid(f"{at}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        if operator == "Exists" and toleration.get("value"):
            yield invalid(f"{at}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'")
        elif operator not in ("", "Equal", "Exists"):
            yield unsupported(f"{at}.operator", operator, ("Equal", "Exists"))
        if effect and effect not in _EFFECTS:
            yield unsupported(f"{at}.effect", effect, _EFFECTS)


def validate_taints(taints: list[dict[str, Any]], path: str) -> Errors:
    for index, taint in enumerate(taints):
        at = f"{path}[{index}]"
        yield from complain(f"{at}.key", taint.get("key", ""), qualified_name(taint.get("key", "")))
        if not taint.get("effect"):
            yield required(f"{at}.effect")
        elif taint["effect"] not in _EFFECTS:
            yield unsupported(f"{at}.effect", taint["effect"], _EFFECTS)


def _host_aliases(aliases: list[dict[str, Any]], path: str) -> Errors:
    for index, alias in enumerate(aliases):
        yield from complain(f"{path}[{index}].ip", alias.get("ip", ""), ip_address(alias.get("ip", "")))
        for place, name in enumerate(alias.get("hostnames") or []):
            yield from complain(f"{path}[{index}].hostnames[{place}]", name, dns_subdomain(name))


_IMMUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)


def validate_pod_update(new: Object, old: Object) -> Errors:
    """Images, a shorter deadline, more tolerations and fewer gates may change, and of a gated pod what it asks of
    nodes; whatever else does is one error with a diff."""
    spec, before = new["spec"], old["spec"]
    if not any(validate_deletion_cost(meta.annotations(old), "")):
        yield from validate_deletion_cost(meta.annotations(new), "metadata.annotations")
    for field in ("containers", "initContainers"):
        if len(spec.get(field) or []) != len(before.get(field) or []):
            yield forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    yield from _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    yield from _kept_tolerations(spec.get("tolerations") or [], before.get("tolerations") or [])
    yield from validate_gates_update(new, old)
    gated = is_gated(old)
    changed = [
        field
        for field in sorted(spec.keys() | before.keys())
        if field not in ("activeDeadlineSeconds", "tolerations", "schedulingGates")
        and _comparable(field, spec.get(field), gated) != _comparable(field, before.get(field), gated)
        and not (field == "terminationGracePeriodSeconds" and spec.get(field) == 1 and (before.get(field) or 0) < 0)
    ]
    if changed:
        yield forbidden("spec", _IMMUTABLE + differences(spec, before, changed))


def _comparable(field: str, value: Any, gated: bool) -> Any:
    """The value without what may change: the images of containers; of a gated pod what it asks of nodes."""
    if field not in ("containers", "initContainers"):
        return without_what_may_change(field, value) if gated else value
    return [{k: v for k, v in container.items() if k != "image"} for container in value or []]


def _deadline(new: int | None, old: int | None) -> Errors:
    if new == old:
        return
    path = "spec.activeDeadlineSeconds"
    if new is None:
        yield invalid(path, new, "must not update from a positive integer to nil value")
    elif old is not None and new > old:
        yield invalid(path, new, "must be less than or equal to previous value")
    else:
        yield from non_negative(new, path)


def _kept_tolerations(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> Errors:
    def untimed(toleration: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in toleration.items() if k != "tolerationSeconds"}

    kept = [untimed(t) for t in new]
    if any(untimed(toleration) not in kept for toleration in old):
        yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
