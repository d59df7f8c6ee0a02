"""A typed view of the pod objects the agent is given: only what decisions need; the rest stays in `raw`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from sampan_api.meta import Object

DEFAULT_GRACE_SECONDS = 30


class Role(StrEnum):
    INIT = "init"
    SIDECAR = "sidecar"
    """An init container with restartPolicy Always: starts in init order, then lives beside the main ones."""
    MAIN = "main"
    EPHEMERAL = "ephemeral"
    """Put into the running pod to look around: started once, waited for by nobody."""


class RestartPolicy(StrEnum):
    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


@dataclass(frozen=True)
class Container:
    raw: dict[str, Any]
    role: Role

    @property
    def name(self) -> str:
        return str(self.raw["name"])

    @property
    def image(self) -> str:
        return str(self.raw.get("image", ""))

    @cached_property
    def digest(self) -> str:
        """Changes when what may be changed in a live pod and needs a new container changes."""
        return hashlib.sha256(json.dumps([self.name, self.image]).encode()).hexdigest()[:16]

    @cached_property
    def size(self) -> str:
        """What it shall have of cpu and memory, as text that is equal for equal amounts."""
        resources = self.raw.get("resources") or {}
        return json.dumps({k: v for k in ("limits", "requests") if (v := resources.get(k))}, sort_keys=True)

    @property
    def target(self) -> str:
        """The container whose processes an ephemeral one sees; "" for none."""
        return str(self.raw.get("targetContainerName") or "")

    def probe(self, kind: str) -> dict[str, Any] | None:
        """`kind` is "startup", "liveness" or "readiness"."""
        probe: dict[str, Any] | None = self.raw.get(f"{kind}Probe")
        return probe

    def hook(self, kind: str) -> dict[str, Any] | None:
        handler: dict[str, Any] | None = (self.raw.get("lifecycle") or {}).get(kind)
        return handler


@dataclass(frozen=True)
class Pod:
    raw: Object

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self.raw["metadata"]
        return metadata

    @property
    def spec(self) -> dict[str, Any]:
        return self.raw.get("spec") or {}

    @property
    def status(self) -> dict[str, Any]:
        return self.raw.get("status") or {}

    @property
    def uid(self) -> str:
        return str(self.metadata["uid"])

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", "default"))

    @property
    def full_name(self) -> str:
        return f"{self.name}_{self.namespace}({self.uid})"

    @cached_property
    def init_containers(self) -> tuple[Container, ...]:
        return tuple(
            Container(c, Role.SIDECAR if c.get("restartPolicy") == "Always" else Role.INIT)
            for c in self.spec.get("initContainers") or []
        )

    @cached_property
    def main_containers(self) -> tuple[Container, ...]:
        return tuple(Container(c, Role.MAIN) for c in self.spec.get("containers") or [])

    @cached_property
    def ephemeral_containers(self) -> tuple[Container, ...]:
        return tuple(Container(c, Role.EPHEMERAL) for c in self.spec.get("ephemeralContainers") or [])

    @property
    def containers(self) -> tuple[Container, ...]:
        return self.init_containers + self.main_containers + self.ephemeral_containers

    def container(self, name: str) -> Container | None:
        return next((c for c in self.containers if c.name == name), None)

    @property
    def restart_policy(self) -> RestartPolicy:
        return RestartPolicy(self.spec.get("restartPolicy") or "Always")

    @property
    def host_network(self) -> bool:
        return bool(self.spec.get("hostNetwork"))

    @property
    def deleting(self) -> bool:
        return self.metadata.get("deletionTimestamp") is not None

    @property
    def ended(self) -> bool:
        """The API already holds a final phase: it never runs again."""
        return self.status.get("phase") in ("Succeeded", "Failed")

    @property
    def grace_seconds(self) -> float:
        """How long stopping may take: what the deletion allows, else the pod's own; at least a second.

        Not the time left to the deletionTimestamp: the master's clock is not this node's, and it is cut to seconds.
        """
        grace = self.metadata.get("deletionGracePeriodSeconds")
        if grace is None:
            grace = self.spec.get("terminationGracePeriodSeconds")
        return max(1.0, float(DEFAULT_GRACE_SECONDS if grace is None else grace))
