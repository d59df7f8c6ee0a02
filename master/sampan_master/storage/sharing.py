"""Equal parts of objects are one in memory.

Pods of a template have the same containers, volumes and sets of managed fields. Decoded, those are most of a pod and
several times as large as their text. Nobody changes an object of the cache, so what is equal may be the same: the sets
of managed fields, what is in a `spec`, and of lists of named things (containers, volumes) what is in each of them.
Parts are known by their text; what is one with its predecessor already is not looked up again.

Only of objects that are written and read: who still builds one may change it.
"""

from __future__ import annotations

from typing import Any

import orjson
from sampan_api.meta import Object

_MOST = 2048
_LARGEST = 8 * 1024
_PARTS: dict[bytes, Any] = {}
"""Parts by their JSON: not all that live, but those that come again and again. When there are too many, all are
forgotten, and those that come are known anew."""

_PARTED = (dict, list)
NOTHING: Object = {}


def shared(obj: Object, before: Object = NOTHING) -> Object:
    """`obj` with the parts that others have too; it and `before`, what stood in its place, are not changed."""
    owners, known = (one.get("metadata", NOTHING).get("managedFields") for one in (obj, before))
    if owners and owners is not known:
        entries = [_owner(owner, known or ()) for owner in owners]
        obj = {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}
    spec, old = obj.get("spec"), before.get("spec")
    if isinstance(spec, dict) and spec is not old:
        old = old if isinstance(old, dict) else NOTHING
        told = {
            key: _within(value) if isinstance(value, _PARTED) and value is not old.get(key) else value
            for key, value in spec.items()
        }
        obj = {**obj, "spec": told}
    return obj


def _owner(owner: Object, known: Any) -> Object:
    if "fieldsV1" not in owner or any(owner is one for one in known):
        return owner
    return {**owner, "fieldsV1": _one(owner["fieldsV1"])}


def _within(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return [
            {key: _one(part) if isinstance(part, _PARTED) else part for key, part in item.items()} for item in value
        ]
    return _one(value)


def _one(part: Any) -> Any:
    text = orjson.dumps(part)
    known = _PARTS.get(text)
    if known is None:
        if len(text) > _LARGEST:
            return part
        if len(_PARTS) >= _MOST:
            _PARTS.clear()
        known = _PARTS[text] = part
    return known
