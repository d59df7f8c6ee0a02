"""What may change in a Job: while it runs hardly anything, while it is suspended where and with what its pods run."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object, is_true

from sampan_master.apiserver.validation.fields import Errors, invalid
from sampan_master.apiserver.validation.updates import immutable, unchanged

_FIXED = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_DIRECTIVES = ("nodeSelector", "tolerations", "schedulingGates")


def validate_job_update(new: Object, old: Object) -> Errors:
    spec, before = new["spec"], old["spec"]
    yield from _completions(spec, before)
    yield from unchanged(spec, before, ("selector",), "spec")
    if _is_at_rest(old):
        yield from _rescheduled(spec["template"], before["template"])
    else:
        yield from unchanged(spec, before, ("template",), "spec")
    yield from unchanged(spec, before, _FIXED, "spec")


def _completions(spec: dict[str, Any], before: dict[str, Any]) -> Errors:
    if spec.get("completionMode") != "Indexed":
        yield from unchanged(spec, before, ("completions",), "spec")
        return
    completions = spec.get("completions")
    if completions not in (None, before.get("completions"), spec.get("parallelism")):
        yield invalid("spec.completions", completions, "can only be modified in tandem with spec.parallelism")


def _is_at_rest(job: Object) -> bool:
    """Suspended, and no pod of it is left that was made with what it says now."""
    status = job.get("status") or {}
    stopped = not status.get("startTime") or is_true(job, "Suspended")
    return bool(job["spec"].get("suspend")) and stopped and not status.get("active")


def _rescheduled(template: dict[str, Any], before: dict[str, Any]) -> Errors:
    """Where the pods may run and what they need may change, and their labels and annotations."""
    if _without_places(template["spec"]) != _without_places(before["spec"]):
        yield immutable("spec.template.spec", template["spec"])


def _without_places(spec: dict[str, Any]) -> dict[str, Any]:
    kept = {field: value for field, value in spec.items() if field not in _DIRECTIVES}
    affinity = {kind: rules for kind, rules in (spec.get("affinity") or {}).items() if kind != "nodeAffinity"}
    kept["affinity"] = affinity
    for field in ("containers", "initContainers"):
        kept[field] = [
            {part: value for part, value in container.items() if part != "resources"}
            for container in spec.get(field) or []
        ]
    return kept
