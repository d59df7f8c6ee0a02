"""JSON, merge and strategic merge patches: from the stored object and the patch to the object that will be stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sampan_api import patches, schema
from sampan_api.client import PatchType
from sampan_api.errors import ApiError, BadRequest, Invalid, RequestEntityTooLarge
from sampan_api.meta import Object

from sampan_master.apiserver.decoding import MOST_MISTAKES, SHOWN, convert, report_unknown
from sampan_master.apiserver.options import WriteOptions
from sampan_master.apiserver.resource import ResourceType
from sampan_master.apiserver.validation.fields import go_quote


@dataclass(frozen=True, slots=True)
class Patch:
    type: PatchType
    content: Any


def apply_patch(rt: ResourceType, patch: Patch, old: Object, options: WriteOptions) -> Object:
    """The patched object, decoded anew; the patch speaks of the version of `rt`. Raises the API's answer to one that
    does not fit."""
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
    try:
        obj, unknown = convert(patched, rt.resource.api_version, rt.kind)
    except schema.DecodeError as error:
        raise _bad_patch(patches.go_value(patch.content), str(error)) from error
    if unknown:
        said_unknown = [f"unknown field {go_quote(path)}" for path in unknown[:MOST_MISTAKES]]
        refusal = _bad_patch(patches.go_value(patch.content), "strict decoding error: " + ", ".join(said_unknown))
        report_unknown(said_unknown, options, refusal)
    return rt.to_stored(obj)


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
