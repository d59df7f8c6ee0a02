"""Acting as somebody else: the `Impersonate-*` headers. Each thing one wants to be must be allowed by itself.

Unless groups are named, a service account brings its own; `system:authenticated` joins wherever the real server
would have put it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from sampan_api.client import UserInfo
from sampan_api.errors import BadRequest

from sampan_master.apiserver.auth import service_accounts
from sampan_master.apiserver.auth.authorization import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, Attributes, authorise

PREFIX = b"impersonate-"
_GROUP = "authentication.k8s.io"
_EXTRA = "extra-"


class Wish(NamedTuple):
    """One thing to be: a user, service account, group, UID or a value of an extra field (whose key is `extra`)."""

    kind: str
    name: str
    namespace: str = ""
    extra: str = ""

    def attributes(self) -> Attributes:
        resource = {
            "User": "users",
            "ServiceAccount": "serviceaccounts",
            "Group": "groups",
            "UID": "uids",
            "UserExtra": "userextras",
        }[self.kind]
        group = _GROUP if self.kind in ("UID", "UserExtra") else ""
        return Attributes("impersonate", "", group, resource, self.extra, self.namespace, self.name)

    def __str__(self) -> str:
        """As Go prints an ObjectReference: Kind Namespace Name UID APIVersion ResourceVersion FieldPath."""
        version = f"{_GROUP}/v1" if self.kind in ("UID", "UserExtra") else ""
        return f"{{{self.kind} {self.namespace} {self.name}  {version}  {self.extra}}}"


def impersonated(user: UserInfo, headers: Iterable[tuple[bytes, bytes]]) -> UserInfo:
    """Who the request is to be answered for. Raises Forbidden, BadRequest."""
    wishes = list(_wishes(headers))
    if not wishes:
        return user
    if wishes[0].kind not in ("User", "ServiceAccount"):
        raise BadRequest(f"requested [{' '.join(map(str, wishes))}] without impersonating a user")
    for wish in wishes:
        authorise(user, wish.attributes())
    return _being(wishes)


def _wishes(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[Wish]:
    """The user first."""
    found = [
        (name[len(PREFIX) :].decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in headers
        if name.startswith(PREFIX)
    ]
    for name, value in found:
        if name == "user" and value:
            account = service_accounts.parse_username(value)
            yield Wish("ServiceAccount", account[1], account[0]) if account else Wish("User", value)
            break
    yield from (Wish("Group", value) for name, value in found if name == "group")
    for name, value in found:
        if name.startswith(_EXTRA):
            yield Wish("UserExtra", value, extra=unquote(name.removeprefix(_EXTRA)))
    yield from (Wish("UID", value) for name, value in found if name == "uid" and value)


def _being(wishes: list[Wish]) -> UserInfo:
    first = wishes[0]
    groups = [wish.name for wish in wishes if wish.kind == "Group"]
    name = first.name
    if first.kind == "ServiceAccount":
        name = service_accounts.username(first.namespace, first.name)
        groups = groups or service_accounts.groups(first.namespace)
    expected = UNAUTHENTICATED if name == ANONYMOUS else AUTHENTICATED
    if expected not in groups and UNAUTHENTICATED not in groups:
        groups.append(expected)
    extra: dict[str, list[str]] = {}
    for wish in wishes:
        if wish.kind == "UserExtra":
            extra.setdefault(wish.extra, []).append(wish.name)
    uid = next((wish.name for wish in wishes if wish.kind == "UID"), "")
    return UserInfo(name, groups, uid, extra)
