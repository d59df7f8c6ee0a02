"""DaemonSet: one pod on every node that it fits. How often its template changed is counted in an annotation."""

from __future__ import annotations

import re
from typing import Any

from sampan_api import meta
from sampan_api.client import DAEMONSETS
from sampan_api.errors import BadRequest
from sampan_api.meta import Object
from sampan_api.selectors import SelectorError, from_label_selector

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age, label_text
from sampan_master.apiserver.resources.resource_type import ResourceType, status_of
from sampan_master.apiserver.resources.templates import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    container_cells,
    default_template,
    selector_cell,
    template_warnings,
)
from sampan_master.apiserver.validation.affinity import validate_label_selector
from sampan_master.apiserver.validation.fields import Errors, go_quote, invalid, required, unsupported
from sampan_master.apiserver.validation.numbers import count_or_percent, non_negative, not_above_all, share
from sampan_master.apiserver.validation.replica_status import validate_collisions, validate_counts
from sampan_master.apiserver.validation.strategies import strategy_as_go_has_it
from sampan_master.apiserver.validation.templates import (
    keeps_running,
    not_empty,
    selected,
    selector_unchanged,
    validate_template,
)

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_ABSENT = {"maxUnavailable": 0, "maxSurge": 0}
_ALWAYS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
_COUNTS = (
    *_ALWAYS,
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


def _default(obj: Object) -> None:
    # In Kubernetes the annotation is a field of the internal type, so that every object has it once it is read.
    _count(obj, _template_generation(obj))
    spec = obj["spec"]
    default_template(spec)
    strategy = spec["updateStrategy"]
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)


def _template_generation(obj: Object) -> int:
    """0 when it is not said. Raises BadRequest for what is no number, as the real server cannot decode it."""
    said = meta.annotations(obj).get(TEMPLATE_GENERATION)
    if said is None:
        return 0
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", said):
        why = f"strconv.ParseInt: parsing {go_quote(said)}: invalid syntax"
        raise BadRequest(f'DaemonSet in version "v1" cannot be handled as a DaemonSet: {why}')
    return int(said)


def _count(obj: Object, generation: int) -> None:
    obj["metadata"]["annotations"] = {**meta.annotations(obj), TEMPLATE_GENERATION: str(generation)}


def _prepare_create(obj: Object) -> None:
    obj["status"] = dict.fromkeys(_ALWAYS, 0)
    _count(obj, max(1, _template_generation(obj)))


def _prepare_update(new: Object, old: Object) -> None:
    """The count is the server's."""
    changed = new["spec"].get("template") != old["spec"].get("template")
    _count(new, _template_generation(old) + changed)


def _prepare_status(new: Object, old: Object) -> None:
    new["status"] = {**dict.fromkeys(_ALWAYS, 0), **(new.get("status") or {})}
    _count(new, _template_generation(old))


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    selector, template = spec.get("selector"), spec["template"]
    yield from validate_label_selector(selector or {}, "spec.selector")
    try:
        yield from selected(template, from_label_selector(selector))
    except SelectorError:
        pass  # Said above, part by part.
    if selector is not None:
        yield from not_empty(selector, "empty selector is invalid for daemonset")
    yield from validate_template(template, "spec.template")
    yield from keeps_running(template["spec"], "DaemonSet")
    yield from non_negative(spec.get("minReadySeconds"), "spec.minReadySeconds")
    yield from _strategy(spec["updateStrategy"], "spec.updateStrategy")
    yield from non_negative(spec["revisionHistoryLimit"], "spec.revisionHistoryLimit")


def _strategy(strategy: dict[str, Any], path: str) -> Errors:
    if strategy["type"] == "RollingUpdate":
        yield from _rolling_update(strategy["rollingUpdate"], f"{path}.rollingUpdate")
    elif strategy["type"] != "OnDelete":
        yield unsupported(path, strategy_as_go_has_it(strategy, _ABSENT), ("RollingUpdate", "OnDelete"))


def _rolling_update(rolling: dict[str, Any], path: str) -> Errors:
    """Either a node may be without its pod or it may have two, not both."""
    fields = ("maxUnavailable", "maxSurge")
    for field in fields:
        yield from count_or_percent(rolling[field], f"{path}.{field}")
    for field in fields:
        yield from not_above_all(rolling[field], f"{path}.{field}")
    missing, more = (share(rolling[field]) != 0 for field in fields)
    if missing and more:
        yield invalid(f"{path}.maxSurge", rolling["maxSurge"], "may not be set when maxUnavailable is non-zero")
    elif not missing and not more:
        yield required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _validate_status(new: Object, old: Object) -> Errors:
    yield from validate_counts(new["status"], _COUNTS)
    yield from validate_collisions(new, old)


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    return [
        obj["metadata"]["name"],
        *(status.get(field, 0) for field in (*counts, "numberAvailable")),
        label_text(spec["template"]["spec"].get("nodeSelector") or {}),
        age(obj, now),
        *container_cells(spec["template"]),
        selector_cell(spec),
    ]


RESOURCE = ResourceType(
    resource=DAEMONSETS,
    singular="daemonset",
    short_names=("ds",),
    categories=("all",),
    subresources=(status_of("DaemonSet"),),
    generation=True,
    separate_status=True,
    idle=True,
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    validate=_validate,
    validate_update=selector_unchanged,
    validate_status=_validate_status,
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer"),
        Column("Current", "integer"),
        Column("Ready", "integer"),
        Column("Up-to-date", "integer"),
        Column("Available", "integer"),
        Column("Node Selector"),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    cells=_cells,
    warnings=template_warnings,
)
