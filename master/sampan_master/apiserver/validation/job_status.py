"""The status of a Job: counts, times, indexes and conditions that fit together, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan_api.clock import parse_time
from sampan_api.meta import Object

from sampan_master.apiserver.validation.fields import Errors, duplicate, invalid, invalid_as_a_whole, required
from sampan_master.apiserver.validation.job_policies import IndexesError, count_indexes, parse_interval
from sampan_master.apiserver.validation.numbers import non_negative

Status = Mapping[str, Any]
_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_FINAL = ("Failed", "Complete", "FailureTarget")
_EXCLUSIVE = (
    ("Complete", "Failed"),
    ("Complete", "FailureTarget"),
    ("SuccessCriteriaMet", "Failed"),
    ("SuccessCriteriaMet", "FailureTarget"),
)
_ANNOUNCED = (("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet"))
_CONDITIONS = "status.conditions"


def validate_job_status(new: Object, old: Object) -> Errors:
    status, before = new.get("status") or {}, old.get("status") or {}
    for field in _COUNTS:
        yield from non_negative(status.get(field), f"status.{field}")
    yield from _uncounted(status.get("uncountedTerminatedPods") or {})
    yield from _conditions(status)
    yield from _times(status)
    if _holds(status, "Complete") or _holds(status, "Failed"):
        yield from _finished(status)
    yield from _indexes(new["spec"], status)
    if "ready" in status and status["ready"] > status.get("active", 0):
        yield invalid("status.ready", status["ready"], "cannot set more ready pods than active")
    yield from _not_taken_back(new["spec"], status, before)


def _holds(status: Status, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or [])


def _uncounted(pods: Status) -> Errors:
    seen: set[str] = set()
    for field in ("succeeded", "failed"):
        for index, uid in enumerate(pods.get(field) or []):
            path = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                yield invalid(path, uid, "must not be empty")
            elif uid in seen:
                yield duplicate(path, uid)
            seen.add(uid)


def _conditions(status: Status) -> Errors:
    for first, second in _EXCLUSIVE:
        if _holds(status, first) and _holds(status, second):
            yield invalid_as_a_whole(_CONDITIONS, f"cannot set {first}=True and {second}=true conditions")
    for end, announced in _ANNOUNCED:
        if _holds(status, end) and not _holds(status, announced):
            said = f"cannot set {end}=True condition without the {announced}=true condition"
            yield invalid_as_a_whole(_CONDITIONS, said)


def _times(status: Status) -> Errors:
    started, completed = status.get("startTime"), status.get("completionTime")
    complete = _holds(status, "Complete")
    if completed and not complete:
        said = "cannot set completionTime when there is no Complete=True condition"
        yield invalid("status.completionTime", completed, said)
    if complete and not completed:
        yield required("status.completionTime", "completionTime is required for Complete jobs")
    if started and completed and parse_time(completed) < parse_time(started):
        yield invalid("status.completionTime", completed, "must be equal to or after `startTime`")


def _finished(status: Status) -> Errors:
    for field in ("active", "terminating"):
        if status.get(field, 0) > 0:
            yield invalid(f"status.{field}", status[field], f"{field}>0 is invalid for finished job")
    if not status.get("startTime"):
        yield required("status.startTime", "startTime is required for finished job")
    pods = status.get("uncountedTerminatedPods") or {}
    if pods.get("failed") or pods.get("succeeded"):
        yield invalid("status.uncountedTerminatedPods", pods, "must be empty for finished job")


def _indexes(spec: Mapping[str, Any], status: Status) -> Errors:
    completions = spec.get("completions")
    done, failed = status.get("completedIndexes", ""), status.get("failedIndexes")
    if completions is not None:
        for field, indexes in (("completedIndexes", done), ("failedIndexes", failed or "")):
            try:
                count_indexes(indexes, completions)
            except IndexesError as error:
                yield invalid(f"status.{field}", indexes, f"error parsing {field}: {error}")
                return
    if done and spec.get("completionMode") != "Indexed":
        said = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield invalid("status.completedIndexes", done, said)
    if failed is not None and spec.get("backoffLimitPerIndex") is None:
        said = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        yield invalid("status.failedIndexes", failed, said)
    if completions is not None and done and failed:
        yield from _disjoint(done, failed, completions)


def _disjoint(done: str, failed: str, completions: int) -> Errors:
    intervals = [[parse_interval(part, completions) for part in text.split(",")] for text in (done, failed)]
    overlaps = [max(a, c) for a, b in intervals[0] for c, d in intervals[1] if a <= d and c <= b]
    if overlaps:
        said = f"failedIndexes and completedIndexes overlap at index: {min(overlaps)}"
        yield invalid("status.failedIndexes", failed, said)


def _not_taken_back(spec: Mapping[str, Any], status: Status, before: Status) -> Errors:
    for kind in _FINAL:
        if _holds(before, kind) and not _holds(status, kind):
            yield invalid_as_a_whole(_CONDITIONS, f"cannot disable the terminal {kind}=True condition")
    for field in ("failed", "succeeded"):
        if status.get(field, 0) < before.get(field, 0):
            yield invalid(f"status.{field}", status.get(field, 0), f"cannot decrease the {field} counter")
    completed, had = status.get("completionTime"), before.get("completionTime")
    if completed and had and completed != had:
        yield invalid("status.completionTime", completed, "field is immutable")
    if before.get("startTime") and status.get("startTime") != before["startTime"] and not spec.get("suspend"):
        yield required("status.startTime", "startTime cannot be removed for unsuspended job")
    if _holds(before, "SuccessCriteriaMet") and not _holds(status, "SuccessCriteriaMet"):
        yield invalid_as_a_whole(_CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition")
