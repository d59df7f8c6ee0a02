"""Owners across the `scale` door: of a Scale there is one field to own, and it is the parent's `spec.replicas`.

An owner that comes in through the door is written down with the parent's version and without a time, as the real server
does it.
"""

from __future__ import annotations

from sampan_api.fieldsets import sets
from sampan_api.fieldsets.managers import UPDATE, Managed, Manager, Owned
from sampan_api.fieldsets.sets import FieldSet

_PATH = ("f:spec", "f:replicas")
_REPLICAS: FieldSet = sets.of_path(_PATH)


def owners_of_scale(managed: Managed, api_version: str, scale_version: str) -> Managed:
    """The parent's owners (whose version of the kind is `api_version`) as those of its Scale."""
    return {
        _in_version(manager, scale_version): Owned(_REPLICAS, scale_version, owned.time)
        for manager, owned in managed.items()
        if owned.api_version == api_version and sets.has(owned.fields, _PATH)
    }


def owners_of_parent(managed: Managed, of_scale: Managed, api_version: str, scale_version: str) -> Managed:
    """The parent's owners after the Scale's have become `of_scale`."""
    result: Managed = {}
    new = dict(of_scale)
    for manager, owned in managed.items():
        had = owned.api_version == api_version and sets.has(owned.fields, _PATH)
        rest = owned
        if had and new.pop(_in_version(manager, scale_version), None) is None:
            rest = owned.with_fields(sets.difference(owned.fields, _REPLICAS))
        if rest.fields:
            result[manager] = rest
    for manager, owned in new.items():
        if sets.has(owned.fields, _PATH):
            result[_in_version(manager, api_version)] = Owned(_REPLICAS, api_version)
    return result


def _in_version(manager: Manager, version: str) -> Manager:
    return manager._replace(api_version=version) if manager.operation == UPDATE else manager
