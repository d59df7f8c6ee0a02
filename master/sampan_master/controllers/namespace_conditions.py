"""What a terminating namespace says of its emptying, in the words that people look for in `kubectl get ns -o yaml`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api import meta
from sampan_api.client import Resource
from sampan_api.meta import Object

_FINE = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}
"""Type -> reason and message while nothing is wrong. The first two cannot be: we know our own kinds."""


def draining_conditions(
    namespace: Object, remaining: dict[Resource, list[Object]], failures: Iterable[str], now: str
) -> list[dict[str, Any]]:
    """The namespace's conditions with ours up to date; those of others stay."""
    wrong = _wrong(remaining, list(failures))
    others = [c for c in (namespace.get("status") or {}).get("conditions") or [] if c["type"] not in _FINE]
    return [*others, *(_condition(namespace, kind, wrong.get(kind), now) for kind in _FINE)]


def _wrong(remaining: dict[Resource, list[Object]], failures: list[str]) -> dict[str, tuple[str, str]]:
    """Type -> reason and message of what holds."""
    found: dict[str, tuple[str, str]] = {}
    if failures:
        said = f"Failed to delete all resource types, {len(failures)} remaining: {', '.join(failures)}"
        found["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", said)
    if remaining:
        counts = sorted(f"{r.plural}.{r.group} has {len(objs)} resource instances" for r, objs in remaining.items())
        said = f"Some resources are remaining: {', '.join(counts)}"
        found["NamespaceContentRemaining"] = ("SomeResourcesRemain", said)
    if held := _held(remaining):
        said = f"Some content in the namespace has finalizers remaining: {', '.join(held)}"
        found["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", said)
    return found


def _held(remaining: dict[Resource, list[Object]]) -> list[str]:
    holders: dict[str, int] = {}
    for objects in remaining.values():
        for obj in objects:
            for finalizer in obj["metadata"].get("finalizers") or []:
                holders[finalizer] = holders.get(finalizer, 0) + 1
    return [f"{finalizer} in {count} resource instances" for finalizer, count in sorted(holders.items())]


def _condition(namespace: Object, kind: str, wrong: tuple[str, str] | None, now: str) -> dict[str, Any]:
    before = meta.condition(namespace, kind) or {}
    status = "False" if wrong is None else "True"
    reason, message = wrong or _FINE[kind]
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": since or now,
        "reason": reason,
        "message": message,
    }
