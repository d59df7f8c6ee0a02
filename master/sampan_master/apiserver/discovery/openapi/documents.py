"""The OpenAPI documents. Paths say of each operation what clients look for: its kind, action and query parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api import schema
from sampan_api.fields import Model

from sampan_master.apiserver.discovery.groups import Virtual
from sampan_master.apiserver.discovery.openapi.schemas import V2, V3, Definitions
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.resources.table import ResourceTable

_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_TYPES = {
    "allowWatchBookmarks": "boolean",
    "force": "boolean",
    "gracePeriodSeconds": "integer",
    "limit": "integer",
    "orphanDependents": "boolean",
    "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer",
    "watch": "boolean",
}
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_ANSWERS = ("application/json", "application/yaml")
_BODIES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_STREAMS = ("attach", "exec", "log", "portforward")
_INFO = {"title": "Kubernetes", "version": "v1.36.2"}


def group_path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def version_3(table: ResourceTable, virtual: Iterable[Virtual], group: str, version: str) -> dict[str, Any]:
    """The document of one group and version."""
    definitions = Definitions(V3)
    paths: dict[str, Any] = {}
    for rt in table.in_version(group, version):
        paths |= _paths(rt, *_add(definitions, rt)) | _subresource_paths(definitions, rt)
    for one in virtual:
        if (one.group, one.version) == (group, version):
            paths[_collection_path(one)] = _virtual_item(definitions, one)
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(definitions.found.items()))},
    }


def version_2(table: ResourceTable, virtual: Iterable[Virtual]) -> dict[str, Any]:
    """One document for everything. Of its operations only PATCH is there: clients look for nothing else in it."""
    definitions = Definitions(V2)
    paths: dict[str, Any] = {}
    for rt in table.types:
        _add(definitions, rt)
        paths[_named_path(rt)] = {
            "patch": {
                "operationId": f"patch{rt.kind}",
                "parameters": [_parameter(name, 2) for name in (*_WRITE, "force")],
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": _kind(rt),
            }
        }
    for one in virtual:
        _add_virtual(definitions, one)
    return {
        "swagger": "2.0",
        "info": _INFO,
        "paths": dict(sorted(paths.items())),
        "definitions": dict(sorted(definitions.found.items())),
    }


def _gvk(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}


def _kind(rt: ResourceType, kind: str = "") -> dict[str, str]:
    return _gvk(rt.group, rt.version, kind or rt.kind)


def _meta(kind: str) -> type[Model]:
    return schema.model_for("meta.k8s.io/v1", kind)


def _add(definitions: Definitions, rt: ResourceType) -> tuple[str, str, str]:
    """References to the kind, its list and DeleteOptions."""
    model = schema.model_for(rt.resource.api_version, rt.kind)
    reference = definitions.add(model, [_kind(rt)])
    listed = definitions.add_list(model, _kind(rt, f"{rt.kind}List"), _meta("ListMeta"))
    for subresource in rt.subresources:
        if subresource.version:
            version = f"{subresource.group}/{subresource.version}"
            kind = _gvk(subresource.group, subresource.version, subresource.kind)
            definitions.add(schema.model_for(version, subresource.kind), [kind])
    return reference, listed, definitions.add(_meta("DeleteOptions"))


def _collection_path(one: ResourceType | Virtual) -> str:
    place = "namespaces/{namespace}/" if one.namespaced else ""
    return f"/{group_path(one.group, one.version)}/{place}{one.plural}"


def _named_path(rt: ResourceType) -> str:
    return _collection_path(rt) + "/{name}"


def _parameter(name: str, dialect: int) -> dict[str, Any]:
    type_ = _TYPES.get(name, "string")
    said: dict[str, Any] = {"name": name, "in": "query"}
    return said | ({"type": type_} if dialect == 2 else {"schema": {"type": type_}})


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _place(one: ResourceType | Virtual) -> list[dict[str, Any]]:
    return [_path_parameter("namespace")] if one.namespaced else []


def _paths(rt: ResourceType, reference: str, listed: str, delete_options: str) -> dict[str, Any]:
    collection: dict[str, Any] = {
        "get": _operation(rt, "list", _LIST, answer=listed),
        "post": _operation(rt, "post", _WRITE, answer=reference, body=reference),
        "parameters": _place(rt),
    }
    if "deletecollection" in rt.verbs:
        collection["delete"] = _operation(
            rt, "deletecollection", (*_DELETE, *_LIST), answer=listed, body=delete_options
        )
    named = {
        **_object_operations(rt, reference),
        "delete": _operation(rt, "delete", _DELETE, answer=reference, body=delete_options),
        "parameters": [_path_parameter("name"), *_place(rt)],
    }
    found = {_collection_path(rt): collection, _named_path(rt): named}
    if rt.namespaced:
        everywhere = f"/{group_path(rt.group, rt.version)}/{rt.plural}"
        found[everywhere] = {"get": _operation(rt, "list", _LIST, answer=listed)}
    if rt.subresource("status") is not None:
        found[_named_path(rt) + "/status"] = {**_object_operations(rt, reference), "parameters": named["parameters"]}
    return found


def _object_operations(rt: ResourceType, reference: str) -> dict[str, Any]:
    return {
        "get": _operation(rt, "get", (), answer=reference),
        "put": _operation(rt, "put", _WRITE, answer=reference, body=reference),
        "patch": _operation(rt, "patch", (*_WRITE, "force"), answer=reference, patch=True),
    }


def _subresource_paths(definitions: Definitions, rt: ResourceType) -> dict[str, Any]:
    """What has another kind than the resource itself: scale, binding, eviction, token. Streams are not described."""
    found: dict[str, Any] = {}
    for sub in rt.subresources:
        if sub.kind == rt.kind or sub.name in _STREAMS:
            continue
        version = f"{sub.group}/{sub.version}" if sub.version else rt.resource.api_version
        reference = definitions.add(schema.model_for(version, sub.kind))
        operations = _object_operations(rt, reference)
        if "create" in sub.verbs:
            operations = {"post": _operation(rt, "post", _WRITE, answer=reference, body=reference)}
        for operation in operations.values():
            operation["x-kubernetes-group-version-kind"] = _gvk(sub.group, sub.version or rt.version, sub.kind)
        found[f"{_named_path(rt)}/{sub.name}"] = {**operations, "parameters": [_path_parameter("name"), *_place(rt)]}
    return found


def _add_virtual(definitions: Definitions, one: Virtual) -> str:
    kind = _gvk(one.group, one.version, one.kind)
    return definitions.add(schema.model_for(f"{one.group}/{one.version}", one.kind), [kind])


def _virtual_item(definitions: Definitions, one: Virtual) -> dict[str, Any]:
    reference = _add_virtual(definitions, one)
    post = {
        "parameters": [_parameter(name, 3) for name in _WRITE],
        "requestBody": _content(reference, _BODIES),
        "responses": {"201": _content(reference, _ANSWERS) | {"description": "Answered"}},
        "x-kubernetes-action": "post",
        "x-kubernetes-group-version-kind": _gvk(one.group, one.version, one.kind),
    }
    return {"post": post, "parameters": _place(one)}


def _operation(
    rt: ResourceType, action: str, query: tuple[str, ...], *, answer: str, body: str = "", patch: bool = False
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "parameters": [_parameter(name, 3) for name in query],
        "responses": {"200": _content(answer, _ANSWERS) | {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(rt),
    }
    if patch:
        operation["requestBody"] = {
            "content": {one: {"schema": {"type": "object"}} for one in _PATCHES},
            "required": True,
        }
    elif body:
        operation["requestBody"] = _content(body, _BODIES)
    return operation


def _content(reference: str, media: tuple[str, ...]) -> dict[str, Any]:
    return {"content": {one: {"schema": {"$ref": reference}} for one in media}}
