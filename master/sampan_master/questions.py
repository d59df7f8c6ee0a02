"""What can be asked of a scheduler over HTTP, by the API server beside it or at its own port: paths and bodies.

POST /sampan/v1/why     {"namespace", "name"}   why that pod has no node
POST /sampan/v1/whatif  {"objects": […]}        where the pods of these would go; nothing is stored
"""

from __future__ import annotations

from typing import Any

import orjson
from sampan_api.errors import BadRequest
from sampan_api.meta import Object

WHY, WHATIF = "/sampan/v1/why", "/sampan/v1/whatif"


def read_why(body: bytes) -> tuple[str, str]:
    """Namespace and name of the pod. Raises BadRequest."""
    asked = _object(body)
    return required_text(asked, "namespace"), required_text(asked, "name")


def read_whatif(body: bytes) -> list[Object]:
    """Manifests, of which each has at least apiVersion, kind and metadata. Raises BadRequest."""
    objects = _object(body).get("objects")
    if not isinstance(objects, list) or not all(isinstance(obj, dict) for obj in objects):
        raise BadRequest("objects: Invalid value: must be a list of manifests")
    for i, obj in enumerate(objects):
        path = f"objects[{i}]."
        required_text(obj, "apiVersion", path)
        required_text(obj, "kind", path)
        if not isinstance(obj.get("metadata"), dict):
            raise BadRequest(f"{path}metadata: Required value: an object with a name")
    return objects


def required_text(obj: dict[str, Any], field: str, path: str = "") -> str:
    value = obj.get(field)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{path}{field}: Required value: a text")
    return value


def no_kind(obj: Object) -> BadRequest:
    return BadRequest(f'no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}"')


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(body)
    except ValueError as error:
        raise BadRequest(f"the body of the request is not JSON: {error}") from error
    if not isinstance(asked, dict):
        raise BadRequest("the body of the request must be a JSON object")
    return asked
