"""Which class stands for which apiVersion and kind; a kind's module is imported when it is first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sampan_api.fields import Model

_HOMES = {
    "v1": {
        "Binding": "core_v1.binding",
        "ConfigMap": "core_v1.configuration",
        "Endpoints": "core_v1.endpoints",
        "Event": "core_v1.event",
        "LimitRange": "core_v1.limits",
        "Namespace": "core_v1.namespace",
        "Node": "core_v1.node",
        "PersistentVolume": "core_v1.persistent_volume",
        "PersistentVolumeClaim": "core_v1.claims",
        "Pod": "core_v1.pod",
        "PodTemplate": "core_v1.replication",
        "PodTemplateSpec": "core_v1.pod",
        "ReplicationController": "core_v1.replication",
        "ResourceQuota": "core_v1.quota",
        "Secret": "core_v1.configuration",
        "Service": "core_v1.service",
        "ServiceAccount": "core_v1.configuration",
    },
    "apps/v1": {
        "ControllerRevision": "apps_v1",
        "DaemonSet": "apps_v1",
        "Deployment": "apps_v1",
        "ReplicaSet": "apps_v1",
        "StatefulSet": "apps_v1",
    },
    "authentication.k8s.io/v1": {
        "SelfSubjectReview": "authentication_v1",
        "TokenRequest": "authentication_v1",
        "TokenReview": "authentication_v1",
    },
    "authorization.k8s.io/v1": {
        "LocalSubjectAccessReview": "authorization_v1",
        "SelfSubjectAccessReview": "authorization_v1",
        "SelfSubjectRulesReview": "authorization_v1",
        "SubjectAccessReview": "authorization_v1",
    },
    "autoscaling/v1": {"HorizontalPodAutoscaler": "autoscaling_v1", "Scale": "autoscaling_v1"},
    "autoscaling/v2": {"HorizontalPodAutoscaler": "autoscaling_v2"},
    "batch/v1": {"CronJob": "batch_v1", "Job": "batch_v1"},
    "certificates.k8s.io/v1": {"CertificateSigningRequest": "certificates_v1"},
    "coordination.k8s.io/v1": {"Lease": "coordination_v1"},
    "discovery.k8s.io/v1": {"EndpointSlice": "discovery_v1"},
    "events.k8s.io/v1": {"Event": "events_v1"},
    "meta.k8s.io/v1": {
        "DeleteOptions": "meta_v1",
        "LabelSelector": "meta_v1",
        "ListMeta": "meta_v1",
        "ObjectMeta": "meta_v1",
        "PartialObjectMetadata": "meta_v1",
        "Status": "meta_v1",
        "Table": "tables",
    },
    "node.k8s.io/v1": {"RuntimeClass": "node_v1"},
    "policy/v1": {"Eviction": "policy_v1", "PodDisruptionBudget": "policy_v1"},
    "rbac.authorization.k8s.io/v1": {
        "ClusterRole": "rbac_v1",
        "ClusterRoleBinding": "rbac_v1",
        "Role": "rbac_v1",
        "RoleBinding": "rbac_v1",
    },
    "scheduling.k8s.io/v1": {"PriorityClass": "scheduling_v1"},
    "storage.k8s.io/v1": {
        "CSIDriver": "storage_v1",
        "CSINode": "storage_v1",
        "CSIStorageCapacity": "storage_v1",
        "StorageClass": "storage_v1",
        "VolumeAttachment": "storage_v1",
    },
}

EVERYWHERE = frozenset({"DeleteOptions", "Status"})
"""Kinds that clients send under whatever group and version they are talking to."""


class UnknownKind(LookupError):
    """No built-in class has this apiVersion and kind."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f'no kind "{kind}" is registered for version "{api_version}"')
        self.api_version = api_version
        self.kind = kind


def kinds() -> dict[str, tuple[str, ...]]:
    """Every apiVersion that has built-in classes, with its kinds."""
    return {api_version: tuple(homes) for api_version, homes in _HOMES.items()}


@cache
def model_for(api_version: str, kind: str) -> type[Model]:
    """The class of a kind. Raises UnknownKind."""
    home = _HOMES.get("meta.k8s.io/v1" if kind in EVERYWHERE else api_version, {})
    if kind not in home:
        raise UnknownKind(api_version, kind)
    model: type[Model] = getattr(import_module(f"sampan_api.models.{home[kind]}"), kind)
    return model
