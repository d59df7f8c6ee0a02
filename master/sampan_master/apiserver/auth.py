"""Who asks, and whether they may.

A verified client certificate says it (CN the name, O the groups), else a bearer token; a bad token is an error, no
credentials make `system:anonymous`. A certificate wins over a token. Impersonation is for those who may do everything.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan_api.client import UserInfo
from sampan_api.errors import Forbidden, Unauthorized

ANONYMOUS = "system:anonymous"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
PUBLIC_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version", "/version/"})
_PUBLIC_PREFIXES = ("/healthz/", "/livez/", "/readyz/")
_FOR_EVERYONE = frozenset({"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"})


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for. `resource` "" means a path that is no resource."""

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class Authenticator:
    def __init__(self, tokens: Mapping[str, UserInfo]) -> None:
        self._tokens = dict(tokens)

    def identify(self, certificate: UserInfo | None, authorization: str) -> UserInfo:
        """Raises Unauthorized."""
        if certificate is not None:
            return _with_group(certificate, AUTHENTICATED)
        if not authorization:
            return UserInfo(ANONYMOUS, [UNAUTHENTICATED])
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            for known, user in self._tokens.items():
                if hmac.compare_digest(known.encode(), token.strip().encode()):
                    return _with_group(user, AUTHENTICATED)
        raise Unauthorized("Unauthorized")


def _with_group(user: UserInfo, group: str) -> UserInfo:
    groups = user.groups if group in user.groups else [*user.groups, group]
    return UserInfo(user.name, groups, user.uid)


def impersonated(user: UserInfo, name: str, groups: list[str], uid: str) -> UserInfo:
    """Raises Forbidden."""
    if not name:
        return user
    if MASTERS not in user.groups:
        said = f'users "{name}" is forbidden: User "{user.name}" cannot impersonate resource "users" in API group ""'
        raise Forbidden(f"{said} at the cluster scope", {"name": name, "kind": "users"})
    if name == ANONYMOUS:
        return UserInfo(name, groups or [UNAUTHENTICATED], uid)
    return _with_group(UserInfo(name, groups, uid), AUTHENTICATED)


def is_public(path: str) -> bool:
    return path in PUBLIC_PATHS or path.startswith(_PUBLIC_PREFIXES)


def is_allowed(user: UserInfo, attributes: Attributes) -> bool:
    """`system:masters` may do everything; everyone known may read discovery and ask about themselves. Nodes work
    through the node link and have no rights here. Roles (RBAC) will be asked at this place."""
    if MASTERS in user.groups:
        return True
    if AUTHENTICATED not in user.groups:
        return False
    if attributes.resource:
        return attributes.resource in _FOR_EVERYONE and attributes.verb == "create"
    return attributes.verb == "get" and _is_discovery(attributes.path)


def _is_discovery(path: str) -> bool:
    return path in ("/api", "/apis", "/openapi") or path.startswith(("/api/", "/apis/", "/openapi/", "/version"))


def authorise(user: UserInfo, attributes: Attributes) -> None:
    """Raises Forbidden in the words clients know."""
    if is_allowed(user, attributes):
        return
    if not attributes.resource:
        raise Forbidden(f'forbidden: User "{user.name}" cannot {attributes.verb} path "{attributes.path}"', {})
    resource = attributes.resource
    if attributes.subresource:
        resource = f"{resource}/{attributes.subresource}"
    subject = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    if attributes.name:
        subject = f'{subject} "{attributes.name}"'
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    details: dict[str, Any] = {"name": attributes.name} if attributes.name else {}
    if attributes.group:
        details["group"] = attributes.group
    details["kind"] = attributes.resource
    raise Forbidden(
        f'{subject} is forbidden: User "{user.name}" cannot {attributes.verb} resource "{resource}"'
        f' in API group "{attributes.group}" {where}',
        details,
    )
