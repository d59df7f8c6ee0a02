"""What a request asks for, read from its method and path alone: before anybody looks whether such a thing exists, so
that who may not ask learns nothing by asking."""

from __future__ import annotations

from collections.abc import Mapping

from sampan_master.apiserver.auth.authorization import Attributes
from sampan_master.apiserver.encoding.options import first, flag

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_NO_NAME = {"get": "list", "delete": "deletecollection"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
_BY_NAME = "metadata.name="


def asked(method: str, path: str, query: Mapping[str, list[str]]) -> Attributes:
    segments = path.strip("/").split("/")
    group = ""
    if segments[0] == "apis" and len(segments) > 3:
        group, rest = segments[1], segments[3:]
    elif segments[0] == "api" and len(segments) > 2:
        rest = segments[2:]
    else:
        return Attributes(method.lower(), path=path)
    verb = _VERBS.get(method, "")
    if rest[0] == "watch" and len(rest) > 1:
        verb, rest = "watch", rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource, name, subresource = (*rest, "", "")[:3]
    if not name:
        verb = _OF_NO_NAME.get(verb, verb)
        if verb == "list" and flag(query, "watch"):
            verb = "watch"
        if verb in ("list", "watch"):
            name = _only_name(first(query, "fieldSelector"))
    return Attributes(verb, path, group, resource, subresource, namespace, name)


def _only_name(field_selector: str) -> str:
    """A list of the one object that bears a name is asked for by that name."""
    terms = (term.replace("==", "=") for term in field_selector.split(","))
    return next((term.removeprefix(_BY_NAME) for term in terms if term.startswith(_BY_NAME)), "")
