"""Fields that are stored but that no part of Sampan acts upon yet: the one table of them.

Whoever sets one gets a `Warning` header naming it, so that nothing is ignored in silence. Who makes a part act on a
field takes it out of here in the same change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sampan_master.apiserver.defaults.podspec import containers

POD_FIELDS = ("topologySpreadConstraints", "resourceClaims", "overhead")
AFFINITIES = ("podAffinity", "podAntiAffinity")
CONTAINER_FIELDS = ("livenessProbe", "readinessProbe", "startupProbe", "resizePolicy", "volumeDevices")
VOLUME_SOURCES = frozenset({"emptyDir", "hostPath", "configMap", "secret", "downwardAPI", "projected"})
"""The sources the agent can mount; any other is named."""


def pod_spec_warnings(spec: dict[str, Any], path: str) -> list[str]:
    return [f"{field} is stored, but Sampan does not act on it yet" for field in _unused(spec, path)]


def _unused(spec: dict[str, Any], path: str) -> Iterator[str]:
    for field in POD_FIELDS:
        if spec.get(field):
            yield f"{path}.{field}"
    for field in AFFINITIES:
        if (spec.get("affinity") or {}).get(field):
            yield f"{path}.affinity.{field}"
    if spec.get("hostUsers") is False:
        yield f"{path}.hostUsers"
    # A token would have to be issued and mounted; who asks for one in so many words must know that it does not come.
    if spec.get("automountServiceAccountToken"):
        yield f"{path}.automountServiceAccountToken"
    for container in containers(spec):
        for field in CONTAINER_FIELDS:
            if container.get(field):
                yield f'{path}: container "{container.get("name", "")}": {field}'
    for volume in spec.get("volumes") or []:
        yield from _volume(volume, f'{path}: volume "{volume.get("name", "")}"')


def _volume(volume: dict[str, Any], path: str) -> Iterator[str]:
    for source in volume:
        if source != "name" and source not in VOLUME_SOURCES:
            yield f"{path}: {source}"
    for part in (volume.get("projected") or {}).get("sources") or []:
        if part.get("serviceAccountToken"):
            yield f"{path}: projected.serviceAccountToken"
