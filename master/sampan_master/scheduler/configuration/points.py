"""Which plug-ins run at which extension point, and in which order; the rules are Kubernetes'.

A profile's own lists are merged with the default ones: a default plug-in that is disabled goes (`*`: all of them), one
that is enabled again keeps its place with its new weight, others come last. What is enabled at multiPoint runs at every
point it has, unless that point disables it; at each point come first those that are named there too, then the others
of multiPoint, then what is named at the point alone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sampan_master.scheduler.configuration.models import NamedPlugin, Plugins, PluginSet

POINTS = tuple(name for name in Plugins.model_fields if name != "multiPoint")
DEFAULT = (
    ("SchedulingGates", 0),
    ("PrioritySort", 0),
    ("NodeUnschedulable", 0),
    ("NodeName", 0),
    ("TaintToleration", 3),
    ("NodeAffinity", 2),
    ("NodePorts", 0),
    ("NodeResourcesFit", 1),
    ("VolumeRestrictions", 0),
    ("NodeVolumeLimits", 0),
    ("VolumeBinding", 0),
    ("VolumeZone", 0),
    ("PodTopologySpread", 2),
    ("InterPodAffinity", 2),
    ("DynamicResources", 0),
    ("DefaultPreemption", 0),
    ("NodeResourcesBalancedAllocation", 1),
    ("ImageLocality", 1),
    ("DefaultBinder", 0),
)
"""Kubernetes' default plug-ins with their weights at multiPoint."""


@dataclass(frozen=True, slots=True)
class Running:
    """By extension point the names of the plug-ins in their order; of those that score, the weight."""

    at: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, int]


def problems(plugins: Plugins, points_of: Mapping[str, frozenset[str]], path: str) -> Iterator[str]:
    """Names nobody knows, plug-ins that have no part in the point they are enabled at, and names given twice."""
    for point, given in _sets(plugins):
        seen: set[str] = set()
        for i, one in enumerate(given.enabled):
            at = f"{path}.{point}.enabled[{i}]"
            if one.name not in points_of:
                yield f"{at}.name: {unknown(one.name, points_of)}"
            elif point != "multiPoint" and point not in points_of[one.name]:
                parts = ", ".join(sorted(points_of[one.name], key=POINTS.index))
                yield f'{at}: plugin "{one.name}" does not extend {point}, but {parts}'
            if one.name in seen:
                yield f'{at}: plugin "{one.name}" is already enabled at {point}'
            seen.add(one.name)
        for i, one in enumerate(given.disabled):
            at = f"{path}.{point}.disabled[{i}]"
            if one.name != "*" and one.name not in points_of:
                yield f"{at}.name: {unknown(one.name, ('*', *points_of))}"


def unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    instead = f'did you mean "{close[0]}"?' if close else f"must be one of {', '.join(sorted(known))}"
    return f'plugin "{name}" does not exist: {instead}'


def warnings(plugins: Plugins, path: str) -> Iterator[str]:
    for point, given in _sets(plugins):
        for kind, ones in (("enabled", given.enabled), ("disabled", given.disabled)):
            for i, one in enumerate(ones):
                if one.weight and (kind == "disabled" or point not in ("score", "multiPoint")):
                    yield f"{path}.{point}.{kind}[{i}].weight: has no effect there, only scores have weights"


def running(plugins: Plugins, points_of: Mapping[str, frozenset[str]]) -> Running:
    default = PluginSet(enabled=[NamedPlugin(name=name, weight=weight) for name, weight in DEFAULT])
    everywhere = _merged(default, plugins.multiPoint)
    at = {point: _expanded(point, own, everywhere, points_of) for point, own in _sets(plugins) if point in POINTS}
    weights: dict[str, int] = {}
    for one in (*plugins.score.enabled, *everywhere):
        if one.name in at["score"]:
            weights.setdefault(one.name, one.weight or 1)
    return Running(at, weights)


def _sets(plugins: Plugins) -> Iterator[tuple[str, PluginSet]]:
    for point in Plugins.model_fields:
        yield point, getattr(plugins, point)


def _merged(default: PluginSet, own: PluginSet) -> list[NamedPlugin]:
    disabled, again = {one.name for one in own.disabled}, {one.name: one for one in own.enabled}
    kept = [] if "*" in disabled else [one for one in default.enabled if one.name not in disabled]
    replaced = [again.pop(one.name, one) for one in kept]
    return replaced + list(again.values())


def _expanded(
    point: str, own: PluginSet, everywhere: list[NamedPlugin], points_of: Mapping[str, frozenset[str]]
) -> tuple[str, ...]:
    named, disabled = [one.name for one in own.enabled], {one.name for one in own.disabled}
    if "*" in disabled:
        return tuple(named)
    spread = [one.name for one in everywhere if point in points_of[one.name] and one.name not in disabled]
    again = [name for name in spread if name in named]
    return tuple(dict.fromkeys([*again, *spread, *named]))
