"""JSON, merge and strategic merge patches: from the stored object and the patch to the object that will be stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sampan_api import patches, schema
from sampan_api.client import PatchType
from sampan_api.errors import ApiError, BadRequest, Invalid, RequestEntityTooLarge
from sampan_api.gotext import go_value
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.decoding import MOST_MISTAKES, SHOWN, convert, report_unknown
from sampan_master.apiserver.encoding.options import WriteOptions
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import go_quote


@dataclass(frozen=True, slots=True)
class Patch:
    type: PatchType
    content: Any


def apply_patch(rt: ResourceType, patch: Patch, old: Object, options: WriteOptions, *, apart: bool = False) -> Object:
    """The patched object, decoded anew; the patch speaks of the version of `rt`. `apart`: whoever uses it looks at
    status and metadata alone, so what the patch has not touched of the rest is still the stored one's, and shared.
    Raises the API's answer to one that does not fit."""
    old = rt.from_stored(old)
    model = schema.model_for(rt.resource.api_version, rt.kind)
    try:
        match patch.type:
            case PatchType.JSON:
                patched = patches.json_patch(old, patch.content)
            case PatchType.MERGE:
                patched = patches.merge_patch(old, patch.content)
            case PatchType.STRATEGIC:
                patched = patches.strategic_merge(old, patch.content, model)
    except patches.PatchError as error:
        raise patch_error(error) from error
    if (patched.get("kind"), patched.get("apiVersion")) != (old["kind"], old["apiVersion"]):
        said = f"kind and apiVersion may not change to {patched.get('apiVersion')}, Kind={patched.get('kind')}"
        raise _bad_patch(orjson.dumps(patched).decode(), said)
    untouched = _untouched(patched, old) if apart and rt.conversion is None else _NOTHING
    try:
        obj, unknown = convert(_without(patched, untouched), rt.resource.api_version, rt.kind)
    except schema.DecodeError as error:
        raise _bad_patch(go_value(patch.content), str(error)) from error
    if unknown:
        said_unknown = [f"unknown field {go_quote(path)}" for path in unknown[:MOST_MISTAKES]]
        refusal = _bad_patch(go_value(patch.content), "strict decoding error: " + ", ".join(said_unknown))
        report_unknown(said_unknown, options, refusal)
    obj["metadata"] |= untouched.metadata
    obj |= untouched.fields
    return rt.to_stored(obj)


class _Untouched(NamedTuple):
    """What a patch has left as it was: the very values of the stored object."""

    fields: Object
    metadata: Object


_NOTHING = _Untouched({}, {})


def _untouched(patched: Object, old: Object) -> _Untouched:
    before, after = old["metadata"], patched.get("metadata")
    return _Untouched(
        {k: v for k, v in patched.items() if v is old.get(k) and k not in _DECODED},
        {k: v for k, v in after.items() if v is before.get(k)} if isinstance(after, dict) else {},
    )


_DECODED = ("kind", "apiVersion", "metadata", "status")


def _without(patched: Object, untouched: _Untouched) -> Object:
    if untouched is _NOTHING:
        return patched
    rest = {k: v for k, v in patched.items() if k not in untouched.fields}
    if untouched.metadata:
        rest["metadata"] = {k: v for k, v in patched["metadata"].items() if k not in untouched.metadata}
    return rest


def patch_error(error: patches.PatchError) -> ApiError:
    match error.code:
        case 422:
            return Invalid(error.message, {})
        case 413:
            return RequestEntityTooLarge(error.message)
        case 400:
            return BadRequest(error.message)
    return ApiError(error.message)


def _bad_patch(shown: str, why: str) -> Invalid:
    text = f"Invalid value: {go_quote(shown[:SHOWN])}: {why}"
    cause = {"reason": "FieldValueInvalid", "message": text, "field": "patch"}
    return Invalid(f' "" is invalid: patch: {text}', {"causes": [cause]})
