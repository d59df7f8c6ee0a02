"""Job: pods until enough of them have succeeded. Its selector and the labels it goes by are made by the server."""

from __future__ import annotations

from typing import Any

from sampan_api.client import JOBS
from sampan_api.clock import parse_time
from sampan_api.meta import Object, is_true
from sampan_api.names import dns_label
from sampan_api.selectors import SelectorError, from_label_selector

from sampan_master.apiserver.resources.ages import human_duration, since
from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.resource_type import ResourceType, status_of
from sampan_master.apiserver.resources.templates import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    container_cells,
    default_template,
    pod_name_warnings,
    selector_cell,
    template_warnings,
)
from sampan_master.apiserver.validation.affinity import validate_label_selector
from sampan_master.apiserver.validation.fields import Errors, invalid, required
from sampan_master.apiserver.validation.job_status import validate_job_status
from sampan_master.apiserver.validation.jobs import validate_job_spec
from sampan_master.apiserver.validation.jobs_update import validate_job_update
from sampan_master.apiserver.validation.templates import selected

_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_LEFT_BEHIND = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set"
    " propagationPolicy=Orphan to suppress this warning"
)
_MAX_INT32 = 2**31 - 1
_MANY = 100_000, 10_000


def _default(obj: Object) -> None:
    spec = obj["spec"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else _MAX_INT32)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    rules_by_failure = spec.get("podFailurePolicy")
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed" if rules_by_failure is None else "Failed")
    default_job_spec(spec)
    _label_like_template(obj)


def default_job_spec(spec: dict[str, Any]) -> None:
    """What is defaulted in the Job that a CronJob will make as well."""
    default_template(spec)
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or []:
        for pattern in rule.get("onPodConditions") or []:
            if not pattern.get("status"):
                pattern["status"] = "True"


def _label_like_template(obj: Object) -> None:
    labels = obj["spec"]["template"]["metadata"].get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def _prepare_create(obj: Object) -> None:
    obj["status"] = {}
    if not obj["spec"]["manualSelector"]:
        _select_own_pods(obj)
    _label_like_template(obj)


def _select_own_pods(obj: Object) -> None:
    """Labels that are there already are left: validation says what is wrong with them."""
    name, uid = obj["metadata"].get("name", ""), obj["metadata"]["uid"]
    template, spec = obj["spec"]["template"], obj["spec"]
    made = {**dict.fromkeys(_UID_LABELS, uid), **dict.fromkeys(_NAME_LABELS, name)}
    template["metadata"]["labels"] = {**made, **(template["metadata"].get("labels") or {})}
    selector = spec.setdefault("selector", {})
    selector["matchLabels"] = {_UID_LABELS[0]: uid, **(selector.get("matchLabels") or {})}


def _rename(obj: Object, before: str) -> None:
    """The name that the server made was taken, and it made another one."""
    for labels in (obj["metadata"].get("labels") or {}, obj["spec"]["template"]["metadata"].get("labels") or {}):
        for label in _NAME_LABELS:
            if labels.get(label) == before:
                labels[label] = obj["metadata"]["name"]


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    if not spec.get("manualSelector") and spec.get("selector") is not None:
        yield from _generated_selector(obj)
    yield from validate_job_spec(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from validate_label_selector(selector, "spec.selector")
    try:
        yield from selected(spec["template"], from_label_selector(selector))
    except SelectorError:
        pass  # Said above, part by part.
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        yield from _host_names(obj["metadata"].get("name", ""), spec["completions"])


def _generated_selector(obj: Object) -> Errors:
    name, uid = obj["metadata"].get("name", ""), obj["metadata"]["uid"]
    labels = obj["spec"]["template"]["metadata"].get("labels") or {}
    legacy_first = (_UID_LABELS[1], uid), (_NAME_LABELS[1], name), (_UID_LABELS[0], uid), (_NAME_LABELS[0], name)
    for label, expected in legacy_first:
        path = f"spec.template.metadata.labels[{label}]"
        if label not in labels:
            yield required(path, f"must be '{expected}'")
        elif labels[label] != expected:
            yield invalid(path, labels, f"must be '{expected}'")
    try:
        selector = from_label_selector(obj["spec"]["selector"])
    except SelectorError:
        return
    if not selector.matches(dict(legacy_first)):
        yield invalid("spec.selector", obj["spec"]["selector"], "`selector` not auto-generated")


def _host_names(name: str, completions: int) -> Errors:
    """Pods of an indexed Job carry their index behind its name."""
    last = f"{name}-{completions - 1}"
    if dns_label(last):
        yield invalid("metadata.name", name, f"will not able to create pod with invalid DNS label: {last}")


def _warnings(obj: Object) -> list[str]:
    return pod_name_warnings(obj) + index_warnings(obj["spec"], "spec") + template_warnings(obj)


def index_warnings(spec: dict[str, Any], path: str) -> list[str]:
    completions, parallelism = spec.get("completions") or 0, spec.get("parallelism") or 0
    if spec.get("completionMode") != "Indexed" or completions <= _MANY[0] or parallelism <= _MANY[1]:
        return []
    said = (
        "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes"
        " might not be able to track completedIndexes when a big number of indexes fail"
    )
    return [f"{path}: {said}"]


_STATUS_WORDS = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _status_word(obj: Object) -> str:
    for ended in ("Complete", "Failed"):
        if is_true(obj, ended):
            return ended
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((word for word in _STATUS_WORDS if is_true(obj, word)), "Running")


def _completions(spec: dict[str, Any], succeeded: int) -> str:
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration(status: dict[str, Any], now: float) -> str:
    started, completed = status.get("startTime"), status.get("completionTime")
    if not started:
        return ""
    if not completed:
        return since(started, now)
    return human_duration(parse_time(completed) - parse_time(started))


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        _status_word(obj),
        _completions(spec, status.get("succeeded", 0)),
        _duration(status, now),
        age(obj, now),
        *container_cells(spec["template"]),
        selector_cell(spec),
    ]


RESOURCE = ResourceType(
    resource=JOBS,
    singular="job",
    categories=("all",),
    subresources=(status_of("Job"),),
    generation=True,
    separate_status=True,
    idle=True,
    orphans=True,
    delete_warning=_LEFT_BEHIND,
    default=_default,
    prepare_create=_prepare_create,
    rename=_rename,
    validate=_validate,
    validate_update=validate_job_update,
    validate_status=validate_job_status,
    columns=(
        NAME_COLUMN,
        Column("Status"),
        Column("Completions"),
        Column("Duration"),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    cells=_cells,
    field_selectors={"status.successful": lambda obj: str((obj.get("status") or {}).get("succeeded", 0))},
    warnings=_warnings,
)
