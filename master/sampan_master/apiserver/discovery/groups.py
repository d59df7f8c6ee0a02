"""Discovery, derived from the resource table: aggregated for new clients, group by group for old ones."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from sampan_api.errors import NotFound

from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType, Subresource
from sampan_master.apiserver.resources.table import ResourceTable

_GROUP_ORDER = (
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
)
"""As the real server ranks them: the order decides which group a short name is looked up in first."""


@dataclass(frozen=True, slots=True)
class Virtual:
    """A resource that is only asked, never stored: reviews."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = False

    @property
    def singular(self) -> str:
        return self.kind.lower()


@dataclass(frozen=True, slots=True)
class Document:
    """An encoded answer with its ETag."""

    body: bytes
    etag: str


class Discovery:
    def __init__(self, table: ResourceTable, virtual: tuple[Virtual, ...]) -> None:
        self._table = table
        self._virtual = virtual
        versions: dict[str, list[str]] = {group: list(found) for group, found in table.groups.items()}
        for one in virtual:
            known = versions.setdefault(one.group, [])
            if one.version not in known:
                known.append(one.version)
        self._versions = versions
        self.core = _document(self._aggregated([""]))
        self.groups = _document(self._aggregated(self._named_groups()))

    def _named_groups(self) -> list[str]:
        named = [group for group in self._versions if group]
        rank = {group: place for place, group in enumerate(_GROUP_ORDER)}
        return sorted(named, key=lambda group: (rank.get(group, len(rank)), group))

    @property
    def group_versions(self) -> list[tuple[str, str]]:
        return [(group, version) for group in ["", *self._named_groups()] for version in self._versions[group]]

    def _aggregated(self, groups: list[str]) -> dict[str, Any]:
        items = [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {
                        "version": version,
                        "resources": self._resources(group, version),
                        "freshness": "Current",
                    }
                    for version in self._versions[group]
                ],
            }
            for group in groups
        ]
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }

    def _resources(self, group: str, version: str) -> list[dict[str, Any]]:
        found = [_aggregated_resource(rt) for rt in self._table.in_version(group, version)]
        found += [_aggregated_virtual(one) for one in self._virtual if (one.group, one.version) == (group, version)]
        return sorted(found, key=lambda resource: str(resource["resource"]))

    def legacy_core(self, address: str) -> dict[str, Any]:
        cidr = {"clientCIDR": "0.0.0.0/0", "serverAddress": address}
        return {"kind": "APIVersions", "versions": self._versions[""], "serverAddressByClientCIDRs": [cidr]}

    def legacy_groups(self) -> dict[str, Any]:
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [self._group(group) for group in self._named_groups()],
        }

    def _group(self, group: str) -> dict[str, Any]:
        versions = [{"groupVersion": f"{group}/{v}", "version": v} for v in self._versions[group]]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def legacy_group(self, group: str) -> dict[str, Any]:
        """Raises NotFound."""
        if group not in self._versions:
            raise NotFound(problems.NO_RESOURCE, {})
        return {"kind": "APIGroup", "apiVersion": "v1", **self._group(group)}

    def legacy_resources(self, group: str, version: str) -> dict[str, Any]:
        """Raises NotFound."""
        if version not in self._versions.get(group, []):
            raise NotFound(problems.NO_RESOURCE, {})
        resources: list[dict[str, Any]] = []
        for rt in self._table.in_version(group, version):
            resources += _legacy_resource(rt, self._storage_hash(rt))
        resources += [_legacy_virtual(one) for one in self._virtual if (one.group, one.version) == (group, version)]
        resources.sort(key=lambda resource: str(resource["name"]))
        return {
            "kind": "APIResourceList",
            **({"apiVersion": "v1"} if group else {}),
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": resources,
        }

    def _storage_hash(self, rt: ResourceType) -> str:
        """Stands for the type that the object is stored as, which for two views of one object is the first one's."""
        first = next(one for one in self._table.types if one.storage_name == rt.storage_name)
        kind = f"{first.group}/{first.version}/{first.kind}"
        return base64.b64encode(hashlib.sha256(kind.encode()).digest()[:8]).decode()

    def is_group(self, group: str) -> bool:
        return group in self._versions


def _document(content: dict[str, Any]) -> Document:
    body = orjson.dumps(content) + b"\n"
    return Document(body, f'"{hashlib.sha512(body).hexdigest().upper()}"')


def _kind(kind: str, group: str = "", version: str = "") -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}


def _aggregated_resource(rt: ResourceType) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resource": rt.plural,
        "responseKind": _kind(rt.kind),
        "scope": "Namespaced" if rt.namespaced else "Cluster",
        "singularResource": rt.singular,
        "verbs": list(rt.verbs),
    }
    if rt.short_names:
        resource["shortNames"] = list(rt.short_names)
    if rt.categories:
        resource["categories"] = list(rt.categories)
    if rt.subresources:
        resource["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": _kind(sub.kind, sub.group, sub.version),
                "verbs": list(sub.verbs),
            }
            for sub in rt.subresources
        ]
    return resource


def _aggregated_virtual(one: Virtual) -> dict[str, Any]:
    return {
        "resource": one.plural,
        "responseKind": _kind(one.kind),
        "scope": "Namespaced" if one.namespaced else "Cluster",
        "singularResource": one.singular,
        "verbs": ["create"],
    }


def _legacy_resource(rt: ResourceType, storage_hash: str) -> list[dict[str, Any]]:
    resource: dict[str, Any] = {
        "name": rt.plural,
        "singularName": rt.singular,
        "namespaced": rt.namespaced,
        "kind": rt.kind,
        "verbs": list(rt.verbs),
    }
    if rt.short_names:
        resource["shortNames"] = list(rt.short_names)
    if rt.categories:
        resource["categories"] = list(rt.categories)
    resource["storageVersionHash"] = storage_hash
    return [resource, *(_legacy_subresource(rt, sub) for sub in rt.subresources)]


def _legacy_subresource(rt: ResourceType, sub: Subresource) -> dict[str, Any]:
    foreign = {"group": sub.group, "version": sub.version} if sub.version else {}
    return {
        "name": f"{rt.plural}/{sub.name}",
        "singularName": "",
        "namespaced": rt.namespaced,
        **foreign,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }


def _legacy_virtual(one: Virtual) -> dict[str, Any]:
    return {
        "name": one.plural,
        "singularName": one.singular,
        "namespaced": one.namespaced,
        "kind": one.kind,
        "verbs": ["create"],
    }
