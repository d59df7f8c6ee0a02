"""RFC 7386, JSON Merge Patch."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object
from sampan_api.patches.errors import unreadable


def merge_patch(obj: Object, patch: Any) -> Object:
    """Null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        raise unreadable(patch, "map[string]interface {}")
    merged: Object = _merge(obj, patch)
    return merged


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result
