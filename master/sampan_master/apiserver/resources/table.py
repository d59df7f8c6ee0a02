"""The resource table: one file per kind, gathered here in the order in which discovery names them."""

from __future__ import annotations

from collections.abc import Iterable

from sampan_api.client import Resource

from sampan_master.apiserver.resources.kinds import (
    certificatesigningrequests,
    clusterrolebindings,
    clusterroles,
    configmaps,
    controllerrevisions,
    cronjobs,
    csidrivers,
    csinodes,
    csistoragecapacities,
    daemonsets,
    deployments,
    endpoints,
    endpointslices,
    events,
    horizontalpodautoscalers,
    jobs,
    leases,
    limitranges,
    namespaces,
    nodes,
    persistentvolumeclaims,
    persistentvolumes,
    poddisruptionbudgets,
    pods,
    podtemplates,
    priorityclasses,
    replicasets,
    replicationcontrollers,
    resourcequotas,
    rolebindings,
    roles,
    runtimeclasses,
    secrets,
    serviceaccounts,
    services,
    statefulsets,
    storageclasses,
    volumeattachments,
)
from sampan_master.apiserver.resources.resource_type import ResourceType


class ResourceTable:
    """Lookup by group, version and plural. A CRD would be one more entry made at run time."""

    def __init__(self, types: Iterable[ResourceType]) -> None:
        self.types = tuple(types)
        self._by_path = {(t.group, t.version, t.plural): t for t in self.types}

    def find(self, group: str, version: str, plural: str) -> ResourceType | None:
        return self._by_path.get((group, version, plural))

    def of(self, resource: Resource) -> ResourceType:
        """Raises KeyError for a resource that this server does not serve."""
        return self._by_path[resource.group, resource.version, resource.plural]

    @property
    def groups(self) -> dict[str, list[str]]:
        """Group -> its versions, in the order of the table."""
        found: dict[str, list[str]] = {}
        for rt in self.types:
            versions = found.setdefault(rt.group, [])
            if rt.version not in versions:
                versions.append(rt.version)
        return found

    def in_version(self, group: str, version: str) -> list[ResourceType]:
        return [t for t in self.types if (t.group, t.version) == (group, version)]


BUILT_IN = ResourceTable(
    [
        configmaps.RESOURCE,
        endpoints.RESOURCE,
        events.RESOURCE,
        limitranges.RESOURCE,
        namespaces.RESOURCE,
        nodes.RESOURCE,
        persistentvolumeclaims.RESOURCE,
        persistentvolumes.RESOURCE,
        pods.RESOURCE,
        podtemplates.RESOURCE,
        replicationcontrollers.RESOURCE,
        resourcequotas.RESOURCE,
        secrets.RESOURCE,
        serviceaccounts.RESOURCE,
        services.RESOURCE,
        controllerrevisions.RESOURCE,
        daemonsets.RESOURCE,
        deployments.RESOURCE,
        replicasets.RESOURCE,
        statefulsets.RESOURCE,
        events.RESOURCE_V1,
        horizontalpodautoscalers.RESOURCE,
        horizontalpodautoscalers.RESOURCE_V1,
        cronjobs.RESOURCE,
        jobs.RESOURCE,
        certificatesigningrequests.RESOURCE,
        poddisruptionbudgets.RESOURCE,
        clusterrolebindings.RESOURCE,
        clusterroles.RESOURCE,
        rolebindings.RESOURCE,
        roles.RESOURCE,
        csidrivers.RESOURCE,
        csinodes.RESOURCE,
        csistoragecapacities.RESOURCE,
        storageclasses.RESOURCE,
        volumeattachments.RESOURCE,
        priorityclasses.RESOURCE,
        leases.RESOURCE,
        runtimeclasses.RESOURCE,
        endpointslices.RESOURCE,
    ]
)
