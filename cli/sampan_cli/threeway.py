"""The patch of `apply`: from what was applied last, what the file says now, and what the server has.

Fields the file sets are made so; fields that an earlier file set and this one lacks are removed; fields that others set
(defaults, controllers, `scale`) are left alone. Lists with a merge key are compared item by item. The result is a
strategic merge patch, or a JSON merge patch for kinds whose schema is not known. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan_api.fields import Field, Kind, Model, fields

Object = dict[str, Any]
_NOTHING: Mapping[str, Field] = {}


def patch(last: Object, wanted: Object, live: Object, model: type[Model] | None) -> Object:
    """{} = nothing to do."""
    return _map(last, wanted, live, model, strategic=model is not None)


def _map(
    last: Object,
    wanted: Object,
    live: Object,
    model: type[Model] | None,
    strategic: bool,
    values: Field | None = None,
) -> Object:
    """`values`: what is known of every value, in a map with free keys."""
    known = fields(model) if model else _NOTHING
    result: Object = {}
    for key, value in wanted.items():
        if value is None:
            if live.get(key) is not None:
                result[key] = None
            continue
        if key not in live:
            result[key] = value
            continue
        field = known.get(key, values)
        change = _value(last.get(key), value, live[key], field, strategic)
        if change is not _SAME:
            _put(result, key, change, field)
    for key in last:
        if key not in wanted and key in live:
            result[key] = None
    return result


class _Keyed:
    """The change of a keyed list: its items, and the order in which they are to be."""

    def __init__(self, items: list[Any], order: list[Any]) -> None:
        self.items = items
        self.order = order


_SAME = object()


def _put(result: Object, key: str, change: Any, field: Field | None) -> None:
    if isinstance(change, _Keyed):
        result[f"$setElementOrder/{key}"] = change.order
        if change.items:
            result[key] = change.items
        return
    result[key] = change


def _value(last: Any, wanted: Any, live: Any, field: Field | None, strategic: bool) -> Any:
    """What the patch says for this field, or _SAME."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        message = field.message if field and field.container != "list" else None
        values = field if field and field.container == "map" else None
        change = _map(last if isinstance(last, dict) else {}, wanted, live, message, strategic, values)
        return change or _SAME
    if isinstance(wanted, list) and isinstance(live, list) and strategic and field and _merges(field):
        before = last if isinstance(last, list) else []
        if field.merge_key:
            return _keyed(before, wanted, live, field)
        return _set(before, wanted, live)
    return _SAME if _equal(wanted, live, field) else wanted


def _merges(field: Field) -> bool:
    return "merge" in field.patch_strategy.split(",")


def _keyed(last: list[Any], wanted: list[Any], live: list[Any], field: Field) -> Any:
    key = field.merge_key
    before = {item.get(key): item for item in last}
    now = {item.get(key): item for item in live}
    names = [item.get(key) for item in wanted]
    changes: list[Any] = []
    for item in wanted:
        name = item.get(key)
        if name not in now:
            changes.append(item)
            continue
        change = _map(before.get(name, {}), item, now[name], field.message, strategic=True)
        if change:
            changes.append({**change, key: name})
    changes += [{key: name, "$patch": "delete"} for name in before if name not in names and name in now]
    if not changes and [name for name in now if name in names] == names:
        return _SAME
    return _Keyed(changes, [{key: name} for name in names])


def _set(last: list[Any], wanted: list[Any], live: list[Any]) -> Any:
    """A list of scalars that merges (finalizers): additions, and removals of what the last file had."""
    if all(item in live for item in wanted) and not any(i in live and i not in wanted for i in last):
        return _SAME
    return [*wanted, *(item for item in live if item not in wanted and item not in last)]


def _equal(wanted: Any, live: Any, field: Field | None) -> bool:
    """The server may have written a quantity in its canonical form: 0.5 and 500m are the same."""
    if wanted == live and type(wanted) is type(live):
        return True
    if isinstance(wanted, str | int | float) and isinstance(live, str) and not isinstance(wanted, bool):
        return field is not None and field.kind is Kind.QUANTITY and _canonical(str(wanted)) == _canonical(live)
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return all(_item_equal(w, now, field) for w, now in zip(wanted, live, strict=True))
    return isinstance(wanted, int | float) and isinstance(live, int | float) and wanted == live


def _item_equal(wanted: Any, live: Any, field: Field | None) -> bool:
    """Inside an atomic list the server's defaults do not count as a difference."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return not _map({}, wanted, live, field.message if field else None, strategic=False)
    return bool(wanted == live)


def _canonical(text: str) -> str:
    from sampan_api import quantity

    try:
        return quantity.canonical(text)
    except ValueError:
        return text
