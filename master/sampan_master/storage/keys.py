"""Where objects lie: `/registry/<resource>/<namespace>/<name>`, cluster-scoped ones `/registry/<resource>/<name>`."""

from __future__ import annotations

REGISTRY = "/registry/"


def resource_prefix(resource: str, namespace: str = "") -> str:
    """Where the objects of a resource lie, or those of one namespace."""
    return f"{REGISTRY}{resource}/{namespace}/" if namespace else f"{REGISTRY}{resource}/"


def object_key(resource: str, namespace: str, name: str) -> str:
    return f"{REGISTRY}{resource}/{namespace}/{name}" if namespace else f"{REGISTRY}{resource}/{name}"


def table_of(key: str) -> str:
    """The first segment below the registry, or "" for a key that is no object."""
    end = key.find("/", len(REGISTRY))
    return key[len(REGISTRY) : end] if end > 0 else ""


def tree_of(key: str) -> str:
    """The first segment of a key or prefix, with both its slashes; "/" is in no tree but all of them."""
    end = key.find("/", 1)
    return key[: end + 1] if end > 0 else "/"


def scopes_of(key: str) -> list[str]:
    """What a watcher of this key may have asked for: each folder above it, and the key itself."""
    scopes = []
    at = key.find("/", len(REGISTRY))
    while at >= 0:
        scopes.append(key[: at + 1])
        at = key.find("/", at + 1)
    scopes.append(key)
    return scopes


def in_scope(key: str, scope: str) -> bool:
    return key.startswith(scope) if scope.endswith("/") else key == scope


def prefix_end(prefix: str) -> str:
    """The first key after all those that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
