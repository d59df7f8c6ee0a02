"""The errors that concern a resource, worded once, and the store's errors translated."""

from __future__ import annotations

from typing import Any

from sampan_api.errors import AlreadyExists, Conflict, Forbidden, NotFound, RequestEntityTooLarge, ServiceUnavailable

from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.storage import KeyExists, KeyMissing, StoreUnavailable, ValueTooLarge

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
NO_RESOURCE = "the server could not find the requested resource"
NO_METHOD = "the server does not allow this method on the requested resource"


def details_of(rt: ResourceType, name: str) -> dict[str, Any]:
    details = {"name": name} if name else {}
    if rt.group:
        details["group"] = rt.group
    return {**details, "kind": rt.plural}


def not_found(rt: ResourceType, name: str) -> NotFound:
    return NotFound(f'{rt.qualified} "{name}" not found', details_of(rt, name))


def already_exists(rt: ResourceType, name: str) -> AlreadyExists:
    return AlreadyExists(f'{rt.qualified} "{name}" already exists', details_of(rt, name))


def conflict(rt: ResourceType, name: str, why: str = MODIFIED, *, subject: str = "") -> Conflict:
    """`subject` replaces the resource's name where the real server names something else."""
    details = {"name": name, "kind": subject} if subject else details_of(rt, name)
    return Conflict(f'Operation cannot be fulfilled on {subject or rt.qualified} "{name}": {why}', details)


def forbidden(rt: ResourceType, name: str, why: str, **more: Any) -> Forbidden:
    return Forbidden(f'{rt.qualified} "{name}" is forbidden: {why}', details_of(rt, name) | more)


class translated_refusal:
    """A context in which the store's errors become the API's, but only what the store itself cannot do; the caller
    answers for a missing or existing key itself. A class, because a generator costs a GET five times as much."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, ValueTooLarge):
            raise RequestEntityTooLarge(f"the store does not take an object of this size: {error}") from error
        if isinstance(error, StoreUnavailable):
            raise ServiceUnavailable(f"the store is not available: {error}", {"retryAfterSeconds": 1}) from error


class translated(translated_refusal):
    """As above, and a missing or existing key is the answer for the object `name`."""

    __slots__ = ("_name", "_rt")

    def __init__(self, rt: ResourceType, name: str) -> None:
        self._rt = rt
        self._name = name

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, KeyExists):
            raise already_exists(self._rt, self._name) from error
        if isinstance(error, KeyMissing):
            raise not_found(self._rt, self._name) from error
        super().__exit__(kind, error, where)


def namespace_not_found(name: str) -> NotFound:
    return NotFound(f'namespaces "{name}" not found', {"name": name, "kind": "namespaces"})
