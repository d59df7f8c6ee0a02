"""Fields that are stored but that no part of Sampan acts upon yet: the one table of them.

Whoever sets one gets a `Warning` header naming it, so that nothing is ignored in silence. Who makes a part act on a
field takes it out of here in the same change.
"""

from __future__ import annotations

from typing import Any

from sampan_master.apiserver.defaults.podspec import containers

POD_FIELDS = (
    "affinity",
    "topologySpreadConstraints",
    "schedulingGates",
    "readinessGates",
    "resourceClaims",
    "overhead",
    "hostUsers",
    "ephemeralContainers",
)
CONTAINER_FIELDS = (
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resizePolicy",
    "volumeDevices",
)
VOLUME_SOURCES = frozenset({"emptyDir", "hostPath", "configMap", "secret"})
"""The sources the agent can mount; any other is named."""


def pod_spec_warnings(spec: dict[str, Any], path: str) -> list[str]:
    said = [f"{path}.{field}" for field in POD_FIELDS if spec.get(field)]
    for container in containers(spec):
        name = container.get("name", "")
        said += [f'{path}: container "{name}": {field}' for field in CONTAINER_FIELDS if container.get(field)]
        if any(port.get("hostPort") for port in container.get("ports") or []) and not spec.get("hostNetwork"):
            said.append(f'{path}: container "{name}": hostPort')
    for volume in spec.get("volumes") or []:
        said += [
            f'{path}: volume "{volume.get("name", "")}": {source}'
            for source in volume
            if source != "name" and source not in VOLUME_SOURCES
        ]
    if spec.get("automountServiceAccountToken"):
        said.append(f"{path}.automountServiceAccountToken")
    return [f"{field} is stored, but Sampan does not act on it yet" for field in said]
