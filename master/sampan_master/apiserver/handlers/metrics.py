"""What the API server counts about itself, as `/metrics` tells it to Prometheus.

Names and labels are those of a kube-apiserver that dashboards and alerts ask for. A request costs one look into two
dicts. Labels come from the resource table, never from the client's words, so their number is bounded.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from sampan_master.apiserver.handlers.routing import Target
from sampan_master.prometheus import Histogram, Source, head, process, shown, text

_BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0, 60.0)
_VERBS = {"create": "POST", "update": "PUT"}
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_STREAMED = frozenset({"log", "exec", "attach", "portforward"})
_NOBODY_LEFT = 499
"""The code of a request whose client went away before it was answered."""


class Labels(NamedTuple):
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    scope: str = ""


class Measured:
    """One request while it runs."""

    __slots__ = ("_began", "_kind", "_metrics", "code", "labels")

    def __init__(self, metrics: Metrics, method: str) -> None:
        self._metrics = metrics
        self._began = time.perf_counter()
        self._kind: str | Labels = "mutating" if method in _MUTATING else "readOnly"
        self.labels = Labels(method if method in _METHODS else "OTHER")
        self.code = 0
        metrics.running[self._kind] += 1

    def resolved(self, verb: str, target: Target) -> None:
        rt, sub = target.type, target.subresource
        scope = "resource" if target.name else "namespace" if target.namespace else "cluster"
        name = sub.name if sub is not None else ""
        self.labels = Labels(_VERBS.get(verb, verb.upper()), rt.group, rt.version, rt.plural, name, scope)
        if verb == "watch" or name in _STREAMED:
            self._metrics.running[self._kind] -= 1
            self._kind = self.labels
            self._metrics.running[self._kind] += 1

    def done(self) -> None:
        metrics = self._metrics
        metrics.running[self._kind] -= 1
        streamed = self.labels.subresource in _STREAMED
        metrics.requests[self.labels, self.code or (101 if streamed else _NOBODY_LEFT)] += 1
        if not streamed:
            durations = metrics.durations.get(self.labels)
            if durations is None:
                durations = metrics.durations[self.labels] = Histogram(_BUCKETS)
            durations.add(time.perf_counter() - self._began)


class Metrics:
    """`objects` tells how many objects of each resource there are; `sources` are what others of the process count."""

    def __init__(self, objects: Callable[[], Mapping[str, int]], version: str, sources: Iterable[Source] = ()) -> None:
        self.sources = sources
        self._objects = objects
        self._version = version
        self.running: Counter[str | Labels] = Counter()
        """By kind ("mutating", "readOnly"), and by labels those that last as long as the client wants."""
        self.requests: Counter[tuple[Labels, int]] = Counter()
        self.durations: dict[Labels, Histogram] = {}

    def text(self) -> bytes:
        return text((self._lines, *self.sources))

    def _lines(self) -> Iterable[str]:
        yield from head("apiserver_request_total", "counter", "Requests by verb, resource and answer.")
        for (labels, code), count in sorted(self.requests.items()):
            yield f"apiserver_request_total{shown(labels._asdict() | {'code': str(code)})} {count}"
        yield from head("apiserver_request_duration_seconds", "histogram", "Seconds from request to answer.")
        for labels, durations in sorted(self.durations.items(), key=lambda item: item[0]):
            yield from durations.lines("apiserver_request_duration_seconds", labels._asdict())
        yield from head("apiserver_current_inflight_requests", "gauge", "Requests being answered.")
        for kind in ("mutating", "readOnly"):
            yield f'apiserver_current_inflight_requests{{request_kind="{kind}"}} {self.running[kind]}'
        yield from head("apiserver_longrunning_requests", "gauge", "Watches and streams.")
        for long, count in self.running.items():
            if isinstance(long, Labels):
                yield f"apiserver_longrunning_requests{shown(long._asdict())} {count}"
        yield from head("apiserver_storage_objects", "gauge", "Objects stored, by resource.")
        for resource, count in sorted(self._objects().items()):
            yield f'apiserver_storage_objects{{resource="{resource}"}} {count}'
        yield from head("kubernetes_build_info", "gauge", "The version of the API that is spoken.")
        yield f'kubernetes_build_info{{git_version="{self._version}"}} 1'
        yield from process()
