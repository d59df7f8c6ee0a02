"""Server-side apply: from the body of a request to the object that will be stored.

A configuration is checked against the schema before anything is decoded, so its mistakes are the ones of the real
server: what nobody declares is a 500 whatever fieldValidation says, a key written twice what fieldValidation says.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sampan_api import schema
from sampan_api.errors import ApiError, BadRequest, Conflict
from sampan_api.fieldsets.applying import Conflicts, FieldConflict, applied, named
from sampan_api.fieldsets.checking import check, listed
from sampan_api.fieldsets.keys import PathError, shown
from sampan_api.fieldsets.managers import Managed, Manager, entries_of, stored
from sampan_api.fieldsets.updating import Write
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.decoding import convert
from sampan_master.apiserver.encoding.options import FieldValidation, WriteOptions
from sampan_master.apiserver.registry.ownership import with_owners

APPLY = "application/apply-patch+yaml"


class Configuration(NamedTuple):
    """What a manager wants of an object. `complaint` is what a strict reader says of the text."""

    content: Object
    complaint: str = ""


def read_configuration(body: bytes) -> Configuration:
    """YAML, of which JSON is a part. Raises BadRequest."""
    try:
        content, complaint = _parse(body)
    except ValueError as error:
        raise BadRequest(f"error decoding YAML: {error}") from error
    if content is None:
        return Configuration({})
    if not isinstance(content, dict):
        what = "array" if isinstance(content, list) else "string" if isinstance(content, str) else "number"
        go = "json: cannot unmarshal " + what + " into Go value of type map[string]interface {}"
        raise BadRequest(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {go}")
    return Configuration(content, complaint)


def _parse(body: bytes) -> tuple[Any, str]:
    if body.lstrip()[:1] == b"{":
        try:
            content, duplicates = schema.load_json(body, find_duplicates=True)
        except schema.DecodeError:
            # In braces, and yet not JSON: YAML has those too.
            pass
        else:
            return _parse_yaml(body.decode()) if duplicates else (content, "")
    return _parse_yaml(body.decode())


def _parse_yaml(text: str) -> tuple[Any, str]:
    try:
        return schema.decode_yaml(text, strict=True), ""
    except schema.DecodeError as error:
        return schema.decode_yaml(text), str(error)


class Outcome(NamedTuple):
    obj: Object
    managed: Managed


def configured(
    config: Configuration, kind: str, live: Object, managed: Managed, write: Write, options: WriteOptions
) -> Outcome:
    """The object of `kind` after `config` was applied to `live`, decoded, and its owners. Raises BadRequest, Conflict,
    and a 500 for what does not fit the schema."""
    _check(config.content, kind, write)
    try:
        obj, owners = applied(live, config.content, managed, write, force=options.force)
    except Conflicts as error:
        raise _conflict(error.conflicts) from error
    except PathError as error:
        raise ApiError(f"failed to merge config: {error}") from error
    _report(config.complaint, options)
    try:
        decoded, _ = convert(obj, write.api_version, kind)
    except schema.DecodeError as error:
        subject = _subject(config.content, _said_kind(config.content))
        raise ApiError(f"failed to convert new object ({subject}) to proper version: {error}") from error
    return Outcome(decoded, owners)


def applied_to(live: Object, config: Configuration, kind: str, write: Write, options: WriteOptions) -> Object:
    """`configured` of a stored object (or of an empty one), with its owners written into it."""
    outcome = configured(config, kind, live, stored(live["metadata"].get("managedFields")), write, options)
    return with_owners(outcome.obj, entries_of(outcome.managed))


def _check(content: Object, kind: str, write: Write) -> None:
    said = _said_kind(content)
    if (content.get("apiVersion"), content.get("kind")) != (write.api_version, kind):
        raise BadRequest(f"invalid object type: {said}")
    metadata = content.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    problems = check(content, write.model)
    if problems:
        raise ApiError(f"failed to create typed patch object ({_subject(content, said)}): {listed(problems)}")


def _said_kind(content: Object) -> str:
    """The group, version and kind that the configuration names, as Go prints them."""
    version, kind = content.get("apiVersion"), content.get("kind")
    group, _, short = version.rpartition("/") if isinstance(version, str) else ("", "", "")
    return f"{group}/{short}, Kind={kind if isinstance(kind, str) else ''}"


def _subject(content: Object, said: str) -> str:
    metadata = content.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    return f"{known.get('namespace', '')}/{known.get('name', '')}; {said}"


def _report(complaint: str, options: WriteOptions) -> None:
    if not complaint or options.validation is FieldValidation.IGNORE:
        return
    if options.validation is FieldValidation.STRICT:
        raise BadRequest(f"error strict decoding YAML: {complaint}")
    options.warnings.append(complaint)


def _conflict(conflicts: list[FieldConflict]) -> Conflict:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {named(manager)}", "field": shown(path)}
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        return Conflict(f"Apply failed with 1 conflict: {conflicts[0]}", {"causes": causes})
    by_manager: dict[Manager, list[str]] = {}
    for manager, path in conflicts:
        by_manager.setdefault(manager, []).append(shown(path))
    lines = []
    for manager in sorted(by_manager):
        lines += [f"conflicts with {named(manager)}:", *(f"- {path}" for path in by_manager[manager])]
    return Conflict(f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines), {"causes": causes})
