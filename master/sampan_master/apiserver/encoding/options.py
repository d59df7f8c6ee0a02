"""What a request asks beside its object: Create-, Update-, Patch- and DeleteOptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sampan_api.client import DeleteOptions, UserInfo
from sampan_api.errors import BadRequest

from sampan_master.apiserver.encoding.go_numbers import parse_int
from sampan_master.apiserver.validation.fields import (
    FieldError,
    forbidden,
    invalid,
    invalid_object,
    required,
    too_long,
    unsupported,
)

Query = Mapping[str, list[str]]
_LONGEST_MANAGER = 128


class FieldValidation(StrEnum):
    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"


_VALIDATIONS = ("", *FieldValidation)


@dataclass(slots=True)
class WriteOptions:
    """`user` is who writes; `warnings` collects what the answer says in `Warning` headers."""

    dry_run: bool = False
    validation: FieldValidation = FieldValidation.WARN
    manager: str = "unknown"
    force: bool = False
    warnings: list[str] = field(default_factory=list)
    user: UserInfo = field(default_factory=lambda: UserInfo(""))


def first(query: Query, name: str) -> str:
    values = query.get(name)
    return values[0] if values else ""


def flag(query: Query, name: str) -> bool:
    """A query boolean: present and neither `0` nor `false`."""
    values = query.get(name)
    return bool(values) and values is not None and values[0].lower() not in ("0", "false")


def integer(query: Query, name: str) -> int | None:
    """Raises BadRequest."""
    text = first(query, name)
    if not text:
        return None
    try:
        return parse_int(text)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def write_options(query: Query, kind: str, user_agent: str = "", *, apply: bool = False) -> WriteOptions:
    """`kind` is CreateOptions, UpdateOptions or PatchOptions. Raises Invalid."""
    errors: list[FieldError] = []
    dry_run = _dry_run(query.get("dryRun") or [], errors)
    validation = first(query, "fieldValidation")
    if validation not in _VALIDATIONS:
        errors.append(unsupported("fieldValidation", validation, ("", "Ignore", "Strict", "Warn")))
        validation = ""
    manager = first(query, "fieldManager")
    if len(manager.encode()) > _LONGEST_MANAGER:
        errors.append(too_long("fieldManager", _LONGEST_MANAGER))
    errors += [
        invalid("fieldManager", manager, f"invalid character U+{ord(char):04X} (at position {place})")
        for place, char in enumerate(manager)
        if not char.isprintable()
    ]
    if kind == "PatchOptions" and not apply and "force" in query:
        errors.append(forbidden("force", "may not be specified for non-apply patch"))
    if apply and not manager:
        errors.append(required("fieldManager", "is required for apply patch"))
    if errors:
        raise invalid_object(kind, "meta.k8s.io", "", errors)
    return WriteOptions(
        dry_run=dry_run,
        validation=FieldValidation(validation or "Warn"),
        manager=manager or user_agent.partition("/")[0][:_LONGEST_MANAGER] or "unknown",
        force=flag(query, "force"),
    )


def _dry_run(asked: list[str], errors: list[FieldError]) -> bool:
    asked = [value for value in asked if value]
    if any(value != "All" for value in asked):
        errors.append(unsupported("dryRun", asked, ("All",)))
    return bool(asked)


_POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """`metav1.DeleteOptions` of body or query. `dependents_now`: `orphanDependents: false` was asked for, to which 202
    is the answer while the object lingers."""

    options: DeleteOptions
    dry_run: bool = False
    dependents_now: bool = False


def delete_request(body: dict[str, Any] | None, query: Query) -> DeleteRequest:
    """A body is the whole DeleteOptions, so the query speaks only without one; a dry run may be asked for in either,
    lest something be deleted that should not. Raises BadRequest, Invalid."""
    said = _from_query(query) if body is None else body
    policy, orphan = said.get("propagationPolicy"), said.get("orphanDependents")
    errors: list[FieldError] = []
    if policy is not None and orphan is not None:
        errors.append(
            invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
        )
    if policy is not None and policy not in _POLICIES:
        errors.append(unsupported("propagationPolicy", policy, (*_POLICIES, "nil")))
    dry_run = _dry_run([*(said.get("dryRun") or []), *(query.get("dryRun") or [])], errors)
    if errors:
        raise invalid_object("DeleteOptions", "meta.k8s.io", "", errors)
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    preconditions = said.get("preconditions") or {}
    options = DeleteOptions(
        grace_seconds=said.get("gracePeriodSeconds"),
        propagation=policy or "",
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
    )
    return DeleteRequest(options, dry_run, orphan is False)


def _from_query(query: Query) -> dict[str, Any]:
    said: dict[str, Any] = {"gracePeriodSeconds": integer(query, "gracePeriodSeconds")}
    if "propagationPolicy" in query:
        said["propagationPolicy"] = first(query, "propagationPolicy")
    if "orphanDependents" in query:
        said["orphanDependents"] = flag(query, "orphanDependents")
    return said
