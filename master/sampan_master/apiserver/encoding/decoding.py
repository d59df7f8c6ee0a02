"""A request's body -> the object of the expected kind: JSON, YAML or Kubernetes protobuf, strictly checked.

Unknown and duplicate fields are an error, a warning or nothing, as `fieldValidation` says; a wrong type always is an
error, in the words of Go's decoder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from sampan_api import protobuf, schema
from sampan_api.errors import ApiError, BadRequest, UnsupportedMediaType
from sampan_api.meta import Object
from sampan_api.scheme import EVERYWHERE, UnknownKind

from sampan_master.apiserver.encoding.options import FieldValidation, WriteOptions
from sampan_master.apiserver.encoding.representations import JSON, YAML
from sampan_master.apiserver.resources.memo import Memo, text_of
from sampan_master.apiserver.validation.fields import go_quote

PROTOBUF = "application/vnd.kubernetes.protobuf"
_SCHEME = "pkg/runtime/scheme.go:111"
MOST_MISTAKES = 100
"""As in Kubernetes' decoder: of more unknown and duplicate fields nobody is told."""
SHOWN = 16 * 1024
_DUPLICATES_LIMIT = 256 * 1024
"""Looking for duplicate keys costs; a body above this size is not looked at."""


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower() or JSON


def read_object(body: bytes, content_type: str, api_version: str, kind: str, options: WriteOptions) -> Object:
    """The decoded object, of exactly `kind`. Raises BadRequest, UnsupportedMediaType."""
    media = media_type(content_type)
    if media == PROTOBUF or body.startswith(b"k8s\x00"):
        return _from_protobuf(body, api_version, kind, options)
    if media not in (JSON, YAML):
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include:"
            f" {JSON}, {YAML}, {PROTOBUF}"
        )
    data, duplicates = _parse(body, media, kind, options)
    return decode(data, api_version, kind, options, duplicates)


def _from_protobuf(body: bytes, api_version: str, kind: str, options: WriteOptions) -> Object:
    try:
        said_version, said_kind, obj = protobuf.decode(body, api_version, kind)
    except UnknownKind as error:
        raise _not_registered(kind, error.api_version, error.kind) from error
    except ValueError as error:
        raise BadRequest(f"the body of the request cannot be decoded: {error}") from error
    return decode({**obj, "apiVersion": said_version, "kind": said_kind}, api_version, kind, options)


def _parse(body: bytes, media: str, kind: str, options: WriteOptions) -> tuple[Any, Iterable[str]]:
    if media == YAML:
        try:
            return schema.decode_yaml(body.decode(), strict=options.validation is FieldValidation.STRICT), ()
        except ValueError as error:
            raise BadRequest(_unrecognized(kind, str(error))) from error
    find = options.validation is not FieldValidation.IGNORE and len(body) <= _DUPLICATES_LIMIT
    try:
        return schema.load_json(body, find_duplicates=find)
    except ValueError as error:
        raise BadRequest(_unrecognized(kind, f"json parse error: {error} ({_shown(body)})")) from error


def _shown(body: bytes) -> str:
    """The start of an unreadable body as Go shows it: text when it begins like JSON, else hexadecimal."""
    if not body:
        return "<empty>"
    shown = body[:SHOWN]
    return shown.decode(errors="replace") if body.lstrip()[:1] == b"{" else shown.hex()


def _unrecognized(kind: str, why: str) -> str:
    return f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; {why}"


def decode(data: Any, api_version: str, kind: str, options: WriteOptions, duplicates: Iterable[str] = ()) -> Object:
    """Decoded JSON of whatever shape -> an object of `kind`, canonical and free of unknown fields."""
    if not isinstance(data, dict):
        what = "array" if isinstance(data, list) else type(data).__name__
        shown = _shown(orjson.dumps(data))
        why = f"json parse error: json: cannot unmarshal {what} into Go value of type {_TYPE_META} ({shown})"
        raise BadRequest(_unrecognized(kind, why))
    _check_kind(data, api_version, kind)
    version = api_version.rpartition("/")[2]
    prefix = f'{kind} in version "{version}" cannot be handled as a {kind}: '
    try:
        obj, unknown = convert(data, api_version, kind)
    except schema.DecodeError as error:
        raise BadRequest(prefix + str(error)) from error
    said = [f"unknown field {go_quote(path)}" for path in unknown]
    said += [f"duplicate field {go_quote(path)}" for path in duplicates]
    del said[MOST_MISTAKES:]
    report_unknown(said, options, BadRequest(f"{prefix}strict decoding error: {', '.join(said)}"))
    return obj


_TYPE_META = r"""struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"""


def convert(data: dict[str, Any], api_version: str, kind: str) -> tuple[Object, list[str]]:
    """A fresh object of `kind` and the paths it does not know. Raises DecodeError."""
    model = schema.model_for(api_version, kind)
    is_pod = kind == "Pod" and api_version == "v1"
    decoded = _pod(model, data) if is_pod else schema.decode_json(model, data)
    rest = {k: v for k, v in decoded.obj.items() if k not in ("kind", "apiVersion", "metadata")}
    head = {"kind": kind, "apiVersion": api_version, "metadata": decoded.obj.get("metadata") or {}}
    return {**head, **rest}, decoded.unknown


_POD_SPECS: Memo[bytes] = Memo()


def _pod(model: type[schema.Model], data: dict[str, Any]) -> schema.Decoded:
    """The spec is read once for all pods that have the same."""
    spec = data.get("spec")
    text = text_of(spec) if isinstance(spec, dict) else b""
    if not text:
        return schema.decode_json(model, data)
    known = _POD_SPECS.get(text)
    if known is not None:
        decoded = schema.decode_json(model, {**data, "spec": {}})
        decoded.obj["spec"] = orjson.loads(known)
        return decoded
    decoded = schema.decode_json(model, data)
    if not decoded.unknown:
        _POD_SPECS.keep(text, orjson.dumps(decoded.obj["spec"]))
    return decoded


def report_unknown(said: list[str], options: WriteOptions, error: ApiError) -> None:
    if not said or options.validation is FieldValidation.IGNORE:
        return
    if options.validation is FieldValidation.STRICT:
        raise error
    options.warnings += said


def _check_kind(data: dict[str, Any], api_version: str, kind: str) -> None:
    said_kind, said_version = data.get("kind") or kind, data.get("apiVersion") or api_version
    if said_kind == kind and (said_version == api_version or kind in EVERYWHERE):
        return
    if not isinstance(said_kind, str) or not isinstance(said_version, str):
        raise BadRequest(_unrecognized(kind, "json parse error: kind and apiVersion must be strings"))
    short = said_version.rpartition("/")[2]
    prefix = f'{said_kind} in version "{short}" cannot be handled as a {kind}: '
    internal = api_version.rpartition("/")[0].partition(".")[0] or "core"
    if _known(said_version, said_kind):
        raise BadRequest(f"{prefix}converting ({short}.{said_kind}) to ({internal}.{kind}): unknown conversion")
    raise _not_registered(kind, said_version, said_kind)


def _not_registered(kind: str, said_version: str, said_kind: str) -> BadRequest:
    short = said_version.rpartition("/")[2]
    return BadRequest(
        f'{said_kind} in version "{short}" cannot be handled as a {kind}: no kind "{said_kind}" is registered for'
        f' version "{said_version}" in scheme "{_SCHEME}"'
    )


def _known(api_version: str, kind: str) -> bool:
    try:
        schema.model_for(api_version, kind)
    except LookupError:
        return False
    return True
