"""CronJob: Jobs by the clock."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sampan_api import cron
from sampan_api.client import CRONJOBS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.ages import since
from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.resources.kinds.jobs import default_job_spec, index_warnings
from sampan_master.apiserver.resources.resource_type import ResourceType, nothing_observed, status_of
from sampan_master.apiserver.resources.templates import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    container_cells,
    pod_name_warnings,
    selector_cell,
)
from sampan_master.apiserver.resources.unused_fields import pod_spec_warnings
from sampan_master.apiserver.validation.fields import Errors, invalid, one_of, required, unsupported
from sampan_master.apiserver.validation.jobs import validate_job_spec
from sampan_master.apiserver.validation.numbers import non_negative

_POLICIES = ("Allow", "Forbid", "Replace")
_LONGEST_NAME = 52
"""Behind the name of a Job come eleven characters of time, and 63 are the most."""
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")
_IN_SCHEDULE = re.compile(r"(?:CRON_)?TZ=(\S*)\s+(.*)")


def _default(obj: Object) -> None:
    spec = obj["spec"]
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    default_job_spec(spec["jobTemplate"]["spec"])


def _validate(obj: Object) -> Errors:
    spec = obj["spec"]
    if not spec.get("schedule"):
        yield required("spec.schedule")
    else:
        yield from _schedule(spec["schedule"])
    yield from non_negative(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds")
    if spec.get("timeZone") is not None:
        yield from _time_zone(spec["timeZone"])
    yield from one_of(spec["concurrencyPolicy"], _POLICIES, "spec.concurrencyPolicy")
    job = spec["jobTemplate"]["spec"]
    yield from validate_job_spec(job, "spec.jobTemplate.spec")
    if job.get("selector") is not None:
        yield invalid("spec.jobTemplate.spec.selector", job["selector"], "`selector` will be auto-generated")
    if job.get("manualSelector"):
        yield unsupported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from non_negative(spec.get(field), f"spec.{field}")


def _schedule(text: str) -> Errors:
    zoned = _IN_SCHEDULE.fullmatch(text)
    try:
        cron.parse(zoned[2].strip() if zoned else text)
    except cron.CronError as error:
        yield invalid("spec.schedule", text, str(error))
    if "TZ" in text:
        yield invalid("spec.schedule", text, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")


def _time_zone(name: str) -> Errors:
    path = "spec.timeZone"
    if not name:
        yield invalid(path, name, "timeZone must be nil or non-empty string")
    elif name.lower() == "local":
        said = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield invalid(path, name, said)
    elif not _is_time_zone(name):
        yield invalid(path, name, f"unknown time zone {name}")


def _is_time_zone(name: str) -> bool:
    if any(p in (".", "..") or p.startswith("-") or not _ZONE_PART.fullmatch(p) for p in name.split("/")):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A directory of zones is an OSError, a file that is no zone a ValueError.
        return name == "UTC"
    return True


def _validate_create(obj: Object) -> Errors:
    name = obj["metadata"].get("name", "")
    if len(name) > _LONGEST_NAME:
        yield invalid("metadata.name", name, f"must be no more than {_LONGEST_NAME} characters")


def _warnings(obj: Object) -> list[str]:
    job = obj["spec"]["jobTemplate"]["spec"]
    path = "spec.jobTemplate.spec"
    pods = pod_spec_warnings(job["template"]["spec"], f"{path}.template.spec")
    return pod_name_warnings(obj) + index_warnings(job, path) + pods


def _cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    job = spec["jobTemplate"]["spec"]
    last = status.get("lastScheduleTime")
    return [
        obj["metadata"]["name"],
        spec.get("schedule", ""),
        spec.get("timeZone", "<none>"),
        str(bool(spec.get("suspend"))),
        len(status.get("active") or []),
        since(last, now) if last else "<none>",
        age(obj, now),
        *container_cells(job["template"]),
        selector_cell(job),
    ]


RESOURCE = ResourceType(
    resource=CRONJOBS,
    singular="cronjob",
    short_names=("cj",),
    categories=("all",),
    subresources=(status_of("CronJob"),),
    generation=True,
    separate_status=True,
    idle=True,
    default=_default,
    prepare_create=nothing_observed,
    validate=_validate,
    validate_create=_validate_create,
    columns=(
        NAME_COLUMN,
        Column("Schedule"),
        Column("Timezone"),
        Column("Suspend", "boolean"),
        Column("Active", "integer"),
        Column("Last Schedule"),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    cells=_cells,
    warnings=_warnings,
)
