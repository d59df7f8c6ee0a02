"""Reading the parts that all objects share.

Inside the planks an object is its decoded JSON (`Object`), treated as immutable: whoever wants a change copies
along the changed path (`with_path`). These functions are the typed view of `metadata`.
"""

from typing import Any, NamedTuple, TypeAlias

Object: TypeAlias = dict[str, Any]
"""One API object as decoded JSON. Never mutate one that came from a cache, a client or an informer."""


class Key(NamedTuple):
    """Identity of an object within its resource. `namespace` is "" for cluster-scoped ones."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def name(obj: Object) -> str:
    return str(obj["metadata"].get("name", ""))


def namespace(obj: Object) -> str:
    return str(obj["metadata"].get("namespace", ""))


def key(obj: Object) -> Key:
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


def uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


def resource_version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))


def labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def is_deleting(obj: Object) -> bool:
    return obj["metadata"].get("deletionTimestamp") is not None


def owner_references(obj: Object) -> list[dict[str, Any]]:
    return obj["metadata"].get("ownerReferences") or []


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The one owner reference with `controller: true`, or None."""
    return next((ref for ref in owner_references(obj) if ref.get("controller")), None)


def condition(obj: Object, type_: str) -> dict[str, Any] | None:
    """The status condition of that type, or None."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((c for c in conditions if c.get("type") == type_), None)


def is_true(obj: Object, type_: str) -> bool:
    """Whether its condition of that type says so."""
    return (condition(obj, type_) or {}).get("status") == "True"


def with_path(obj: Object, path: tuple[str, ...], value: Any) -> Object:
    """A copy of `obj` in which the field at `path` is `value`; shares everything off that path."""
    head, *rest = path
    copy = dict(obj)
    copy[head] = with_path(obj.get(head) or {}, tuple(rest), value) if rest else value
    return copy
