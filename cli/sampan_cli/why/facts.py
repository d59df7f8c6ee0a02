"""Reading objects: what several diagnoses ask of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from sampan_cli.ages import duration
from sampan_cli.why.findings import Object


class PodFacts(NamedTuple):
    """A pod and what was asked around it. What a diagnosis does not need is not asked and stays empty.

    `verdict` is the scheduler's answer, None when the server has no such path; `nodes` holds every node when
    `knows_nodes`; `leaving` are the pods being deleted from the node that was promised; `logs` are last lines
    by container.
    """

    pod: Object
    now: float
    events: tuple[Object, ...] = ()
    verdict: Object | None = None
    nodes: tuple[Object, ...] = ()
    knows_nodes: bool = False
    leases: tuple[Object, ...] = ()
    leaving: tuple[Object, ...] = ()
    dependents: tuple[Object, ...] = ()
    logs: dict[str, str] = {}  # noqa: RUF012 (a default that nobody writes to)

    @property
    def node(self) -> Object | None:
        wanted = self.pod["spec"].get("nodeName")
        return next((node for node in self.nodes if node["metadata"]["name"] == wanted), None)


def name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def subject(obj: Object) -> str:
    return f"{obj['kind'].lower()}/{name(obj)}"


def addressed(obj: Object) -> str:
    """As a command must name it, whatever the namespace of who reads it is: `pod/web -n shop`."""
    namespace = obj["metadata"].get("namespace")
    return f"{subject(obj)} -n {namespace}" if namespace else subject(obj)


def condition(obj: Object, kind: str) -> Object | None:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((dict(c) for c in conditions if c.get("type") == kind), None)


def seconds(stamp: str | None) -> float | None:
    """An RFC 3339 time as seconds since the epoch."""
    if not stamp:
        return None
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def since(stamp: str | None, now: float) -> float | None:
    then = seconds(stamp)
    return None if then is None else now - then


def ago(stamp: str | None, now: float) -> str:
    passed = since(stamp, now)
    return "some time" if passed is None else duration(max(0, int(passed)))


def said(text: float) -> str:
    """A length of time to come, never less than a second."""
    return duration(max(1, round(text)))


def last_seen(event: Object) -> str:
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def latest(events: Iterable[Object], *reasons: str, container: str = "", text: str = "") -> Object | None:
    """The last event with one of the reasons, about the container if one is named, whose message contains `text`."""
    found = [
        event
        for event in events
        if event.get("reason") in reasons
        and text in str(event.get("message", ""))
        and (not container or f"{{{container}}}" in str((event.get("involvedObject") or {}).get("fieldPath", "")))
    ]
    return max(found, key=last_seen, default=None)


def message(event: Object | None) -> str:
    return str((event or {}).get("message", "")).strip()


def joined(words: Iterable[str], limit: int = 5) -> str:
    """`a, b, c and 4 more`."""
    listed = list(words)
    if len(listed) <= limit + 1:
        return ", ".join(listed)
    return ", ".join(listed[:limit]) + f" and {len(listed) - limit} more"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
