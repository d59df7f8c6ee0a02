"""Strategic merge: a merge patch that knows from the model which lists merge by which key, and obeys the directives
`$patch`, `$retainKeys`, `$setElementOrder/<list>` and `$deleteFromPrimitiveList/<list>`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from sampan_api.fields import Field, Model, fields
from sampan_api.gotext import go_value
from sampan_api.meta import Object
from sampan_api.patches.errors import PatchError, unreadable

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def strategic_merge(obj: Object, patch: Any, model: type[Model]) -> Object:
    """By the patch strategies and merge keys of `model`."""
    if not isinstance(patch, dict):
        raise unreadable(patch, "map[string]interface {}")
    return _strategic(obj, patch, model)


def _strategic(target: Object, patch: Object, model: type[Model] | None) -> Object:
    match patch.get(_PATCH):
        case None | "merge":
            pass
        case "replace":
            whole: Object = _without_directives(patch)
            return whole
        case "delete":
            return {}
        case other:
            raise PatchError(f"unknown patch type: {other} in map: {go_value(patch)}")
    result = _retained(target, patch)
    known = fields(model) if model is not None else {}
    directives = [key for key in patch if key.startswith("$")]
    for key in directives:
        if key.startswith(_DELETE_PRIMITIVES):
            name = key.removeprefix(_DELETE_PRIMITIVES)
            gone = _list_of(patch[key], "primitive list")
            if isinstance(result.get(name), list):
                result[name] = [item for item in result[name] if item not in gone]
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict | list):
            order = patch.get(_ORDER + key) if directives else None
            result[key] = _strategic_value(result.get(key), value, known.get(key), order)
        else:
            result[key] = value
    for key in directives:
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and name not in patch and name in known and isinstance(result.get(name), list):
            result[name] = _strategic_list(result[name], [], known[name], patch[key])
    return result


def _list_of(value: Any, directive: str) -> list[Any]:
    if not isinstance(value, list):
        raise PatchError(f"invalid patch format of {directive}")
    return value


def _retained(target: Object, patch: Object) -> Object:
    if _RETAIN not in patch:
        return dict(target)
    keep = _list_of(patch[_RETAIN], "retainKeys")
    if any(not key.startswith("$") and patch[key] is not None and key not in keep for key in patch):
        raise PatchError("invalid patch format of retainKeys")
    return {key: value for key, value in target.items() if key in keep}


def _strategic_value(target: Any, value: Any, field: Field | None, order: Any) -> Any:
    strategies = field.patch_strategy.split(",") if field is not None and field.patch_strategy else ()
    if isinstance(value, dict):
        if not isinstance(target, dict) or "replace" in strategies:
            return _without_directives(value)
        return _strategic(target, value, field.message if field is not None and not field.container else None)
    if field is None or "merge" not in strategies or not isinstance(target, list):
        return _without_directives(value)
    return _strategic_list(target, value, field, order)


def _directive(item: Any) -> Any:
    return item.get(_PATCH) if isinstance(item, dict) else None


def _strategic_list(target: list[Any], patch: list[Any], field: Field, order: Any) -> list[Any]:
    if order is not None:
        order = _list_of(order, "setElementOrder list")
    if not field.merge_key:
        if any(isinstance(item, dict | list) for item in [*patch, *(order or [])]):
            raise PatchError("invalid patch format of primitive list")
        union = list(dict.fromkeys([*target, *patch]))
        return _in_order(union, target, patch if order is None else order, key=lambda item: item)
    if any(_directive(item) == "replace" for item in patch):
        kept: list[Any] = _without_directives(patch)
        return kept
    return _keyed_list(target, patch, field, order)


def _keyed_list(target: list[Any], patch: list[Any], field: Field, order: list[Any] | None) -> list[Any]:
    merge_key = field.merge_key

    def key(item: Any) -> Any:
        return item.get(merge_key) if isinstance(item, dict) else item

    keys = [_merge_key_of(item, merge_key) for item in patch]
    gone = {value for value, item in zip(keys, patch, strict=True) if _directive(item) == "delete"}
    result = [item for item in target if key(item) not in gone] if gone else list(target)
    places = {key(item): index for index, item in reversed(list(enumerate(result)))}
    for value, item in zip(keys, patch, strict=True):
        if _directive(item) == "delete":
            continue
        if value in places:
            result[places[value]] = _strategic(result[places[value]], item, field.message)
        else:
            places[value] = len(result)
            result.append(_without_directives(item))
    wanted = keys if order is None else [_merge_key_of(item, merge_key) for item in order]
    return _in_order(result, [key(item) for item in target], wanted, key)


def _merge_key_of(item: Any, merge_key: str) -> Any:
    if not isinstance(item, dict):
        raise PatchError(f"cannot merge {go_value(item)} into a list of maps")
    if merge_key not in item:
        raise PatchError(f"map: {go_value(item)} does not contain declared merge key: {merge_key}")
    if isinstance(item[merge_key], dict | list):
        raise PatchError(f"map: {go_value(item)} has no plain value of its declared merge key: {merge_key}")
    return item[merge_key]


def _in_order(items: list[Any], live: list[Any], wanted: list[Any], key: Callable[[Any], Any]) -> list[Any]:
    """Items that the patch names come in its order; the others keep theirs, and go before a named one only where they
    stood before it in the live list: a new item comes before all that the patch does not name."""
    rank = {value: index for index, value in enumerate(wanted)}
    place = {value: index for index, value in enumerate(live)}
    named = deque(sorted((item for item in items if key(item) in rank), key=lambda item: rank[key(item)]))
    others = deque(sorted((item for item in items if key(item) not in rank), key=lambda item: place.get(key(item), 0)))
    result: list[Any] = []
    while named and others:
        ours, theirs = place.get(key(named[0])), place.get(key(others[0]))
        first = others if ours is not None and theirs is not None and theirs < ours else named
        result.append(first.popleft())
    return [*result, *named, *others]


def _is_directive(key: str) -> bool:
    return key in (_PATCH, _RETAIN) or key.startswith((_ORDER, _DELETE_PRIMITIVES))


def _without_directives(value: Any) -> Any:
    """A new subtree is taken as it is, less its directives, its nulls and what it says to delete."""
    if isinstance(value, dict):
        return {
            key: _without_directives(item) if isinstance(item, dict | list) else item
            for key, item in value.items()
            if item is not None and not (key.startswith("$") and _is_directive(key))
        }
    if isinstance(value, list):
        return [
            _without_directives(item) if isinstance(item, dict | list) else item
            for item in value
            if _directive(item) not in ("delete", "replace")
        ]
    return value
