"""DELETE as HTTP has it: the options of a request, and what is answered. What a deletion does is `deletion`'s matter.

object lingers (grace, finalizers)    200 the object, or 202 when `orphanDependents: false` was asked for
object is gone                        200 a Status with its uid; a few kinds answer the object all the same
dry run of what would be gone         200 a Status that names the kind
"""

from __future__ import annotations

from typing import Any

from sampan_api import schema
from sampan_api.errors import BadRequest

from sampan_master.apiserver.encoding.decoding import PROTOBUF, decode, media_type, read_object
from sampan_master.apiserver.encoding.options import DeleteRequest, WriteOptions, delete_request
from sampan_master.apiserver.encoding.representations import YAML
from sampan_master.apiserver.http.requests import ApiRequest
from sampan_master.apiserver.registry.verbs import Deleted
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType

_OPTIONS = "DeleteOptions"


async def read_delete_request(request: ApiRequest) -> DeleteRequest:
    """Raises BadRequest, Invalid, UnsupportedMediaType."""
    body = await request.body()
    return delete_request(_options_in(body, request.header(b"content-type")) if body else None, request.query)


def _options_in(body: bytes, content_type: str) -> dict[str, Any]:
    options = WriteOptions()
    if media_type(content_type) == PROTOBUF or body.startswith(b"k8s\x00"):
        return read_object(body, PROTOBUF, "meta.k8s.io/v1", _OPTIONS, options)
    data = _load(body, content_type)
    if isinstance(data, dict):
        # Clients write them under the group they are talking to, or under none.
        data = {**data, "apiVersion": "v1", "kind": data.get("kind") or _OPTIONS}
    return decode(data, "v1", _OPTIONS, options)


def _load(body: bytes, content_type: str) -> Any:
    try:
        if media_type(content_type) == YAML:
            return schema.decode_yaml(body.decode())
        return schema.load_json(body)[0]
    except ValueError as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from error


def gone_status(rt: ResourceType, deleted: Deleted, *, dry_run: bool) -> dict[str, Any]:
    metadata = deleted.written.obj["metadata"]
    status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if dry_run:
        return {**status, "details": {"name": metadata["name"], "kind": rt.kind}, "code": 200}
    return {**status, "details": {**problems.details_of(rt, metadata["name"]), "uid": metadata.get("uid", "")}}
