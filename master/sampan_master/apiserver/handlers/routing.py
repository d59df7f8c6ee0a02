"""A path of the API -> which resource, namespace, name and subresource it means."""

from __future__ import annotations

from dataclasses import dataclass

from sampan_api.errors import NotFound

from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType, Subresource
from sampan_master.apiserver.resources.table import ResourceTable


@dataclass(frozen=True, slots=True)
class Target:
    """`namespace` None: all of them, or cluster scope. `name` "": the collection. `watch`: the legacy watch path."""

    type: ResourceType
    namespace: str | None = None
    name: str = ""
    subresource: Subresource | None = None
    watch: bool = False


def resolve(table: ResourceTable, group: str, version: str, segments: list[str]) -> Target:
    """Raises NotFound for a resource or subresource that is not served."""
    watch = bool(segments) and segments[0] == "watch"
    if watch:
        segments = segments[1:]
    namespace: str | None = None
    if len(segments) >= 3 and segments[0] == "namespaces" and not _is_own_subresource(table, segments):
        namespace, segments = segments[1], segments[2:]
    if not 1 <= len(segments) <= (2 if watch else 3):
        raise NotFound(problems.NO_RESOURCE, {})
    rt = table.find(group, version, segments[0])
    if rt is None or (namespace is not None and not rt.namespaced):
        raise NotFound(problems.NO_RESOURCE, {})
    if rt.namespaced and namespace is None and len(segments) > 1:
        raise NotFound(problems.NO_RESOURCE, {})
    subresource = None
    if len(segments) == 3:
        subresource = rt.subresource(segments[2])
        if subresource is None:
            raise NotFound(problems.NO_RESOURCE, {})
    return Target(rt, namespace, segments[1] if len(segments) > 1 else "", subresource, watch)


def _is_own_subresource(table: ResourceTable, segments: list[str]) -> bool:
    """`namespaces/NAME/status` and `/finalize` are the Namespace's own."""
    namespaces = table.find("", "v1", "namespaces")
    return len(segments) == 3 and namespaces is not None and namespaces.subresource(segments[2]) is not None
