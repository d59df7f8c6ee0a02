"""Events: what both groups ask of them, and what events.k8s.io asks beyond. All is said in the names of the core group,
in which events are stored; so does the real server."""

from __future__ import annotations

from sampan_api.meta import Object

from sampan_master.apiserver.validation.fields import Errors, FieldError, invalid, required
from sampan_master.apiserver.validation.names import complain, dns_subdomain, qualified_name
from sampan_master.apiserver.validation.updates import immutable

_NAME_LIMIT, _NOTE_LIMIT = 128, 1024
_TYPES = ("Normal", "Warning")
_FROZEN = (
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "action",
    "related",
)


def validate_event(obj: Object) -> Errors:
    namespace = obj["metadata"].get("namespace", "")
    involved = obj["involvedObject"].get("namespace", "")
    if not obj.get("eventTime"):
        mismatch = (involved or "default") != namespace
    else:
        mismatch = not involved and namespace not in ("default", "kube-system")
    if mismatch:
        yield invalid("involvedObject.namespace", involved, "does not match event.namespace")
    if obj.get("eventTime"):
        yield from _new_style(obj)
    yield from complain("namespace", namespace, dns_subdomain(namespace))


def _new_style(obj: Object) -> Errors:
    """An event that says when it happened must also say who tells, what was done and why."""
    reporter = obj.get("reportingComponent", "")
    if not reporter:
        yield required("reportingController")
    yield from complain("reportingController", reporter, qualified_name(reporter))
    for field in ("reportingInstance", "action", "reason"):
        value = obj.get(field) or ""
        if not value:
            yield required(field)
        yield from _not_longer(field, value, _NAME_LIMIT)
    yield from _not_longer("message", obj.get("message") or "", _NOTE_LIMIT)


def _not_longer(field: str, value: str, limit: int) -> Errors:
    if len(value.encode()) > limit:
        yield invalid(field, "", f"can have at most {limit} characters")


def validate_strictly(obj: Object) -> Errors:
    """What a creation through events.k8s.io must obey besides."""
    yield from _series(obj)
    if not obj.get("eventTime"):
        yield required("eventTime")
    if obj.get("type") not in _TYPES:
        yield invalid("type", "", f"has invalid value: {obj.get('type', '')}")
    for field in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if obj.get(field):
            yield _unset(field)


def _unset(field: str) -> FieldError:
    return invalid(field, "", "needs to be unset")


def _series(obj: Object) -> Errors:
    series = obj.get("series")
    if series is None:
        return
    if series.get("count", 0) < 2:
        yield invalid("series.count", "", "should be at least 2")
    if not series.get("lastObservedTime"):
        yield required("series.lastObservedTime")


def validate_strict_update(new: Object, old: Object) -> Errors:
    """Through events.k8s.io only the series of an event goes on."""
    if new.get("series") != old.get("series"):
        yield from _series(new)
    for field in _FROZEN:
        if (new.get(field) or None) != (old.get(field) or None):
            yield immutable(field, new.get(field))
    for field, said in (("reportingComponent", "reportingController"), ("reportingInstance", "reportingInstance")):
        if new.get(field, "") != old.get(field, ""):
            yield immutable(said, new.get(field, ""))
