"""What may have been meant by a name that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from sampan_cli.errors import ServerError
from sampan_cli.session import Session, Target


def names_nearby(session: Session, target: Target) -> Iterator[str]:
    """Lines about objects of the same name in other namespaces, else of names like it in this one."""
    resource, name = target.resource, target.name
    word = resource.singular or resource.kind.lower()
    if resource.namespaced:
        elsewhere = _list(session, resource.path(""), {"fieldSelector": f"metadata.name={name}"})
        if spaces := sorted(each["metadata"]["namespace"] for each in elsewhere):
            yield f"There is one in namespace {', '.join(spaces)}: sampan why -n {spaces[0]} {word}/{name}"
            return
    here = [each["metadata"]["name"] for each in _list(session, resource.path(session.namespace), {})]
    if close := get_close_matches(name, here, n=3):
        yield f"Did you mean {' or '.join(f'{word}/{each}' for each in close)}?"


def _list(session: Session, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
    """Nothing where it may not be read: it only helps."""
    try:
        return list(session.api.call("GET", path, query).get("items") or ())
    except ServerError:
        return []
