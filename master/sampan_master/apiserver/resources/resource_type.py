"""`ResourceType`: everything the server knows of one kind. The table of them is `table.py`.

Routes, discovery, OpenAPI, Table output, storage keys and warnings are all derived from this one declaration. The
functions work on objects that were decoded for this very request: `default` and the `prepare_*` hooks change them in
place, `validate*` only look.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan_api.client import Resource
from sampan_api.meta import Object
from sampan_api.selectors import from_label_selector

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, name_and_age
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.names import NameRule, object_name

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Subresource:
    """What discovery says of a subresource; its behaviour is registered by name in `subresources`."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """Between a version of the API and the one in which its objects lie in the store. Both ways give a new object that
    shares what is the same in both."""

    from_stored: Callable[[Object], Object]
    to_stored: Callable[[Object], Object]


def nothing(obj: Object) -> None:
    pass


def nothing_observed(obj: Object) -> None:
    """A new object has no status yet, whatever its creator says."""
    obj["status"] = {}


def nothing_on_update(new: Object, old: Object) -> None:
    pass


def no_rename(obj: Object, before: str) -> None:
    pass


def no_times(new: Object, old: Object, now: float) -> None:
    pass


def no_errors(obj: Object) -> Errors:
    return iter(())


def no_update_errors(new: Object, old: Object) -> Errors:
    return iter(())


def no_conditions(obj: Object) -> list[dict[str, Any]]:
    return []


def has_finalizers(obj: Object) -> bool:
    return bool(obj["metadata"].get("finalizers"))


def no_grace(obj: Object, asked: int | None) -> int:
    return 0


def no_warnings(obj: Object) -> Iterable[str]:
    return ()


def label_selector_text(obj: Object) -> str:
    """`spec.selector`, a LabelSelector, in the string grammar. Validation has seen to it that it can be read."""
    selector = (obj.get("spec") or {}).get("selector")
    return "" if selector is None else str(from_label_selector(selector))


@dataclass(frozen=True, slots=True)
class ServiceNetwork:
    """The addresses and node ports that services are given from."""

    cidr: str = "10.96.0.0/12"
    node_ports: range = range(30000, 32768)

    @property
    def first_address(self) -> str:
        """The API server's own."""
        return str(ipaddress.ip_network(self.cidr)[1])


SERVICE_NETWORK = ServiceNetwork()


@dataclass(frozen=True, slots=True)
class Allocation:
    """What an allocation decides by: what others of the kind hold, and where from. In a dry run nothing may be taken,
    so nothing is compared either."""

    taken: Container[str]
    network: ServiceNetwork
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Allocator:
    """How a kind gets what each of its objects must have alone. `holds`: all of that an object has; `allocate` writes
    it into a new or changed object."""

    holds: Callable[[Object], Iterable[str]]
    allocate: Callable[[Object, Object | None, Allocation], Errors]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceType:
    """`generation`: counts spec changes, with `counts_annotations` those of annotations too. `separate_status`: only
    `/status` writes status. `storage`: the directory of its keys, the plural unless another resource has it too.
    `expires`: events, which go by themselves. `idle`: no part of Sampan acts on the kind yet; whoever creates one is
    told so. `deprecated`: what every answer warns of. `allocator`: see `registry/allocation.py`.

    `stamp` writes the times of an update that are the server's.
    `field_selectors` maps a selectable path beside metadata.name and metadata.namespace to its reader.
    `conversion`: this version of the kind is not the one that is stored; all functions here are given the stored one.
    Deletion: `grace` says how many seconds the object has (None asked: its own default), `lingers` whether something
    still holds it, `mark_deleted` changes more than the timestamp, `answers_object` makes DELETE answer with the object
    even when it is gone, `orphans` lets dependents stay unless the client says otherwise and `delete_warning` says so,
    `protected` names may not be deleted. `scale_selector`: the pods that a Scale counts.
    """

    resource: Resource
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    storage: str = ""
    generation: bool = False
    counts_annotations: bool = False
    separate_status: bool = False
    create_on_update: bool = False
    name_rule: NameRule = object_name
    default: Callable[[Object], None] = nothing
    prepare_create: Callable[[Object], None] = nothing
    rename: Callable[[Object, str], None] = no_rename
    prepare_update: Callable[[Object, Object], None] = nothing_on_update
    prepare_status: Callable[[Object, Object], None] = nothing_on_update
    stamp: Callable[[Object, Object, float], None] = no_times
    validate: Callable[[Object], Errors] = no_errors
    validate_create: Callable[[Object], Errors] = no_errors
    validate_update: Callable[[Object, Object], Errors] = no_update_errors
    validate_status: Callable[[Object, Object], Errors] = no_update_errors
    columns: tuple[Column, ...] = (NAME_COLUMN, AGE_COLUMN)
    cells: Callable[[Object, float], list[Any]] = name_and_age
    row_conditions: Callable[[Object], list[dict[str, Any]]] = no_conditions
    field_selectors: Mapping[str, Callable[[Object], str]] = field(default_factory=dict)
    warnings: Callable[[Object], Iterable[str]] = no_warnings
    conversion: Conversion | None = None
    expires: bool = False
    idle: bool = False
    deprecated: str = ""
    allocator: Allocator | None = None
    grace: Callable[[Object, int | None], int] = no_grace
    lingers: Callable[[Object], bool] = has_finalizers
    mark_deleted: Callable[[Object], None] = nothing
    answers_object: bool = False
    orphans: bool = False
    delete_warning: str = ""
    protected: frozenset[str] = frozenset()
    scale_selector: Callable[[Object], str] = label_selector_text

    @property
    def group(self) -> str:
        return self.resource.group

    @property
    def version(self) -> str:
        return self.resource.version

    @property
    def kind(self) -> str:
        return self.resource.kind

    @property
    def plural(self) -> str:
        return self.resource.plural

    @property
    def graceful(self) -> bool:
        """Whether its objects may be given time to end."""
        return self.grace is not no_grace

    @property
    def namespaced(self) -> bool:
        return self.resource.namespaced

    @property
    def qualified(self) -> str:
        """`replicasets.apps`: how errors name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def storage_name(self) -> str:
        return self.storage or self.plural

    def key(self, namespace: str, name: str) -> str:
        if self.namespaced:
            return f"/registry/{self.storage_name}/{namespace}/{name}"
        return f"/registry/{self.storage_name}/{name}"

    def prefix(self, namespace: str | None = None) -> str:
        if self.namespaced and namespace:
            return f"/registry/{self.storage_name}/{namespace}/"
        return f"/registry/{self.storage_name}/"

    def from_stored(self, obj: Object) -> Object:
        """An object of the store as this version shows it."""
        return obj if self.conversion is None else self.conversion.from_stored(obj)

    def to_stored(self, obj: Object) -> Object:
        return obj if self.conversion is None else self.conversion.to_stored(obj)

    def subresource(self, name: str) -> Subresource | None:
        return next((sub for sub in self.subresources if sub.name == name), None)

    def reader(self, path: str) -> Callable[[Object], str]:
        """How a field selector reads `path`. Raises KeyError when this kind cannot be selected by it."""
        return _EVERYWHERE.get(path) or self.field_selectors[path]

    def selects(self, path: str) -> bool:
        return path in _EVERYWHERE or path in self.field_selectors


_EVERYWHERE: dict[str, Callable[[Object], str]] = {
    "metadata.name": lambda obj: str(obj["metadata"].get("name", "")),
    "metadata.namespace": lambda obj: str(obj["metadata"].get("namespace", "")),
}
STATUS_VERBS = ("get", "patch", "update")
SCALE_SUBRESOURCE = Subresource("scale", "Scale", ("get", "patch", "update"), "autoscaling", "v1")
"""Given to a type that keeps replicas; `scaling` does the rest."""


def status_of(kind: str) -> Subresource:
    return Subresource("status", kind, STATUS_VERBS)
