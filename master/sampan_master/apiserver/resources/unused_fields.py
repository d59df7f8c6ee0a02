"""Fields that are stored but that no part of Sampan acts upon yet: the one table of them.

Whoever sets one gets a `Warning` header naming it, so that nothing is ignored in silence. Who makes a part act on a
field takes it out of here in the same change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sampan_api.containers import all_containers

POD_FIELDS = (
    "hostnameOverride",
    "resourceClaims",
    "schedulingGroup",
    "setHostnameAsFQDN",
    "subdomain",
)
POD_SECURITY_FIELDS = ("fsGroupChangePolicy", "seLinuxChangePolicy")
SECURITY_FIELDS = ("appArmorProfile", "seLinuxOptions", "windowsOptions")
"""Of the pod's and of each container's security context."""
CONTAINER_FIELDS = ("restartPolicyRules", "volumeDevices")
VOLUME_SOURCES = frozenset({"emptyDir", "hostPath", "configMap", "secret", "downwardAPI", "projected"})
PROJECTED_SOURCES = frozenset({"configMap", "secret", "downwardAPI", "serviceAccountToken"})
"""The sources the agent can mount; any other is named."""


def pod_spec_warnings(spec: dict[str, Any], path: str) -> list[str]:
    return [f"{field} is stored, but Sampan does not act on it yet" for field in _unused(spec, path)]


def _unused(spec: dict[str, Any], path: str) -> Iterator[str]:
    for field in _set(spec, POD_FIELDS):
        yield f"{path}.{field}"
    if spec.get("hostUsers") is False:
        yield f"{path}.hostUsers"
    if (spec.get("resources") or {}).get("limits"):
        # Requests of the whole pod are what the scheduler counts with; its limits nobody sets.
        yield f"{path}.resources.limits"
    security = spec.get("securityContext") or {}
    for field in _set(security, (*POD_SECURITY_FIELDS, *SECURITY_FIELDS)):
        yield f"{path}.securityContext.{field}"
    if security.get("supplementalGroupsPolicy") == "Strict":
        yield f"{path}.securityContext.supplementalGroupsPolicy"
    for container in all_containers(spec):
        for field in _of_container(container):
            yield f'{path}: container "{container.get("name", "")}": {field}'
    for container in spec.get("containers") or []:
        if container.get("restartPolicy"):
            yield f'{path}: container "{container.get("name", "")}": restartPolicy'
    for volume in spec.get("volumes") or []:
        for field in _of_volume(volume):
            yield f'{path}: volume "{volume.get("name", "")}": {field}'


def _set(value: dict[str, Any], fields: tuple[str, ...]) -> Iterator[str]:
    return (field for field in fields if value.get(field))


def _of_container(container: dict[str, Any]) -> Iterator[str]:
    yield from _set(container, CONTAINER_FIELDS)
    for field in _set(container.get("securityContext") or {}, SECURITY_FIELDS):
        yield f"securityContext.{field}"
    resources = container.get("resources") or {}
    if resources.get("claims"):
        yield "resources.claims"
    for resource in resources.get("limits") or {}:
        if resource == "ephemeral-storage" or resource.startswith("hugepages-"):
            yield f"resources.limits.{resource}"
    for variable in container.get("env") or []:
        if (variable.get("valueFrom") or {}).get("fileKeyRef"):
            yield f"env {variable.get('name', '')}: fileKeyRef"


def _of_volume(volume: dict[str, Any]) -> Iterator[str]:
    for source in volume:
        if source != "name" and source not in VOLUME_SOURCES:
            yield source
    empty = volume.get("emptyDir") or {}
    if empty.get("medium") not in (None, "", "Memory"):
        yield "emptyDir.medium"
    elif empty.get("sizeLimit") and empty.get("medium") != "Memory":
        yield "emptyDir.sizeLimit"
    for part in (volume.get("projected") or {}).get("sources") or []:
        for source in part:
            if source not in PROJECTED_SOURCES:
                yield f"projected.{source}"
