"""How a service account is called as a user: `system:serviceaccount:<namespace>:<name>`, and its groups."""

from __future__ import annotations

from sampan_api.names import dns_label, dns_subdomain

from sampan_master.apiserver.auth.authorization import SERVICE_ACCOUNTS

_PREFIX = "system:serviceaccount:"


def username(namespace: str, name: str) -> str:
    return f"{_PREFIX}{namespace}:{name}"


def groups(namespace: str) -> list[str]:
    return [SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}"]


def parse_username(user: str) -> tuple[str, str] | None:
    """Namespace and name; None for anybody else."""
    if not user.startswith(_PREFIX):
        return None
    namespace, colon, name = user.removeprefix(_PREFIX).partition(":")
    if not colon or dns_label(namespace) or dns_subdomain(name):
        return None
    return namespace, name
