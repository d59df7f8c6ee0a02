"""The errors that concern a resource, worded once, and the store's errors translated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def translated(rt: ResourceType, name: str) -> Iterator[None]:
    """The store's errors as the API's."""
    try:
        with translated_refusal():
            yield
    except KeyExists as error:
        raise already_exists(rt, name) from error
    except KeyMissing as error:
        raise not_found(rt, name) from error


@contextmanager
def translated_refusal() -> Iterator[None]:
    """Only what the store itself cannot do; the caller answers for a missing or existing key itself."""
    try:
        yield
    except ValueTooLarge as error:
        raise RequestEntityTooLarge(f"the store does not take an object of this size: {error}") from error
    except StoreUnavailable as error:
        raise ServiceUnavailable(f"the store is not available: {error}", {"retryAfterSeconds": 1}) from error


def namespace_not_found(name: str) -> NotFound:
    return NotFound(f'namespaces "{name}" not found', {"name": name, "kind": "namespaces"})
