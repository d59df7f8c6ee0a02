"""Whether someone may do something: decided here, and nowhere else.

What is allowed follows from the groups one is in, by the rules that every cluster has from its start. The roles and
bindings that users store (RBAC) are not asked yet: `rules_of` is the place where their rules will join.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sampan_api.client import UserInfo
from sampan_api.errors import Forbidden

ANONYMOUS = "system:anonymous"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
SERVICE_ACCOUNTS = "system:serviceaccounts"
_PUBLIC_PREFIXES = ("/healthz/", "/livez/", "/readyz/")


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


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows `verbs` on `resources` of API `groups`, or on `paths`. `*` is anything; a path may end in it."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def allows(self, asked: Attributes) -> bool:
        if not _in(asked.verb, self.verbs):
            return False
        if not asked.resource:
            return any(_fits(asked.path, path) for path in self.paths)
        resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        return _in(asked.group, self.groups) and _in(resource, self.resources)


def _in(value: str, allowed: tuple[str, ...]) -> bool:
    return "*" in allowed or value in allowed


def _fits(path: str, pattern: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


_PUBLIC = Rule(("get",), paths=("/healthz", "/livez", "/readyz", "/version", "/version/"))
_DISCOVERY = Rule(("get",), paths=("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC.paths))
_BY_GROUP: dict[str, tuple[Rule, ...]] = {
    MASTERS: (Rule(("*",), ("*",), ("*",)), Rule(("*",), paths=("*",))),
    AUTHENTICATED: (
        Rule(("create",), ("authentication.k8s.io",), ("selfsubjectreviews",)),
        Rule(("create",), ("authorization.k8s.io",), ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
        _DISCOVERY,
    ),
    UNAUTHENTICATED: (_PUBLIC,),
    SERVICE_ACCOUNTS: (
        Rule(
            ("get",),
            paths=(
                "/.well-known/openid-configuration",
                "/.well-known/openid-configuration/",
                "/openid/v1/jwks",
                "/openid/v1/jwks/",
            ),
        ),
    ),
}
"""Nodes work through the node link and have no rights here."""


def rules_of(user: UserInfo) -> list[Rule]:
    return [rule for group in user.groups for rule in _BY_GROUP.get(group, ())]


def is_public(path: str) -> bool:
    return path in _PUBLIC.paths or path.startswith(_PUBLIC_PREFIXES)


def is_allowed(user: UserInfo, asked: Attributes) -> bool:
    return any(rule.allows(asked) for rule in rules_of(user))


def authorise(user: UserInfo, asked: Attributes) -> None:
    """Raises Forbidden in the words clients know."""
    if is_allowed(user, asked):
        return
    if not asked.resource:
        raise Forbidden(f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"', {})
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    subject = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    if asked.name:
        subject = f'{subject} "{asked.name}"'
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    details: dict[str, Any] = {"name": asked.name} if asked.name else {}
    if asked.group:
        details["group"] = asked.group
    details["kind"] = asked.resource
    raise Forbidden(
        f'{subject} is forbidden: User "{user.name}" cannot {asked.verb} resource "{resource}"'
        f' in API group "{asked.group}" {where}',
        details,
    )
