"""Namespaces that do not go: what is left in them, and what holds that."""

from __future__ import annotations

from sampan_cli.why.facts import ago, subject
from sampan_cli.why.findings import Cause, Finding, Object

_TELLING = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
)
_FINALIZERS = "NamespaceFinalizersRemaining"


def findings(namespace: Object, held: tuple[Object, ...], now: float) -> list[Finding]:
    """`held` are the objects in it that have finalizers, as far as they were looked for."""
    who, metadata = subject(namespace), namespace["metadata"]
    conditions = {
        c["type"]: c for c in (namespace.get("status") or {}).get("conditions") or [] if c.get("status") == "True"
    }
    asked = f"deletion was asked for {ago(metadata['deletionTimestamp'], now)} ago"
    found = []
    if kept := conditions.get(_FINALIZERS):
        objects = tuple(f"{subject(o)} has finalizers {', '.join(o['metadata']['finalizers'])}" for o in held)
        text = f"{who} cannot go: what is in it has finalizers that nobody removes. {kept['message']}"
        example = subject(held[0]) if held else "KIND/NAME"
        fix = f"`sampan why -n {metadata['name']} {example}` says whose work is not done"
        found.append(Finding(Cause.FINALIZERS, who, text, (asked, *objects), fix))
    elif words := [str(conditions[kind]["message"]) for kind in _TELLING if kind in conditions]:
        text = f"{who} is being emptied: {words[0]}"
        found.append(
            Finding(Cause.NAMESPACE_CONTENT, who, text, (asked, *words[1:]), "wait; or see what holds the rest")
        )
    foreign = [f for f in namespace["spec"].get("finalizers") or [] if f != "kubernetes"]
    if foreign:
        text = f"{who} is kept by {', '.join(foreign)} in its spec.finalizers."
        fix = "whoever set it must take it out through the namespace's finalize subresource"
        found.append(Finding(Cause.FINALIZERS, who, text, (asked,), fix))
    if not found:
        text = f"{who} is being deleted; its controller has not said what is left in it."
        fix = "is the controller manager running?"
        found.append(Finding(Cause.NAMESPACE_CONTENT, who, text, (asked,), fix))
    return found
