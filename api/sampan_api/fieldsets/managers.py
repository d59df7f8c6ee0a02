"""`metadata.managedFields`: who owns which fields, one entry per manager, way of writing, version and subresource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from sampan_api.fieldsets import sets
from sampan_api.fieldsets.keys import PathError
from sampan_api.fieldsets.sets import FieldSet

APPLY, UPDATE = "Apply", "Update"
_MOST_UPDATES = 10
_ANCIENT = "ancient-changes"


class EntryError(ValueError):
    """An entry that no server has written."""


class Manager(NamedTuple):
    """Who owns. An applier is the same in every version, hence `api_version` "" there."""

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Owned:
    """`entry` is the owner's entry as it was stored, as long as it is still true."""

    fields: FieldSet
    api_version: str
    time: str | None = None
    entry: dict[str, Any] | None = None

    def with_fields(self, fields: FieldSet) -> Owned:
        return Owned(fields, self.api_version, self.time)


Managed: TypeAlias = dict[Manager, Owned]


def stored(entries: list[dict[str, Any]] | None) -> Managed:
    """The owners as this server has stored them."""
    managed: Managed = {}
    for entry in entries or ():
        version = entry["apiVersion"]
        manager = _manager(entry, version)
        managed[manager] = Owned(entry.get("fieldsV1") or {}, version, entry.get("time"), entry)
    return managed


def _manager(entry: dict[str, Any], version: str) -> Manager:
    operation = entry["operation"]
    return Manager(
        entry.get("manager", ""),
        operation,
        "" if operation == APPLY else version,
        entry.get("subresource", ""),
    )


def given(entries: list[dict[str, Any]]) -> Managed:
    """The owners as a client wrote them. Raises EntryError."""
    managed: Managed = {}
    for entry in entries:
        if entry.get("operation") not in (APPLY, UPDATE):
            raise EntryError("operation must be `Apply` or `Update`")
        if not entry.get("apiVersion"):
            raise EntryError("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            raise EntryError("fieldsType must be FieldsV1")
        try:
            fields = sets.read(entry.get("fieldsV1"))
        except PathError as error:
            raise EntryError(str(error)) from error
        version = entry["apiVersion"]
        managed[_manager(entry, version)] = Owned(fields, version, entry.get("time"))
    return managed


def is_reset(entries: Any) -> bool:
    """`[]` and `[{}]` take all owners away; absent entries say nothing."""
    return entries in ([], [{}])


def entries_of(managed: Managed) -> list[dict[str, Any]]:
    """What is stored: appliers first, then by time."""
    order = sorted(managed.items(), key=lambda item: _rank(*item))
    return [owned.entry or _entry(manager, owned) for manager, owned in order]


def _rank(manager: Manager, owned: Owned) -> tuple[Any, ...]:
    return manager.operation, owned.time or "", manager.name, owned.api_version, manager.subresource


def _entry(manager: Manager, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {"manager": manager.name} if manager.name else {}
    entry |= {"operation": manager.operation, "apiVersion": owned.api_version}
    if owned.time:
        entry["time"] = owned.time
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": owned.fields}
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def capped(managed: Managed) -> Managed:
    """At most ten updaters: of each version the oldest ones become one."""
    updaters = [manager for manager in managed if manager.operation == UPDATE]
    if len(updaters) <= _MOST_UPDATES:
        return managed
    result = dict(managed)
    updaters.sort(key=lambda manager: (managed[manager].time or "", manager))
    first: dict[str, Manager] = {}
    left = len(updaters)
    for manager in updaters:
        if left <= _MOST_UPDATES:
            break
        owned = result[manager]
        version = owned.api_version
        if version not in first:
            first[version] = manager
            continue
        bucket = Manager(_ANCIENT, UPDATE, version)
        if bucket not in result:
            result[bucket] = result.pop(first[version])
        del result[manager]
        result[bucket] = Owned(sets.union(owned.fields, result[bucket].fields), version, owned.time)
        left -= 1
    return result
