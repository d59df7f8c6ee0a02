"""The fields of a `KubeSchedulerConfiguration` and of its plug-ins' arguments, with their types, ranges and defaults.

Attributes carry the names of the fields themselves. `sampan` is ours, in two places: what Kubernetes has no name for.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import pydantic
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from sampan_api import names

API_VERSION = "kubescheduler.config.k8s.io/v1"
KIND = "KubeSchedulerConfiguration"
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def _seconds(text: Any) -> Any:
    """A duration as Go writes it."""
    parts = _DURATION.findall(text) if isinstance(text, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("must be a duration such as 15s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _qualified(text: str) -> str:
    if problems := names.qualified_name(text):
        raise ValueError("; ".join(problems))
    return text


def _group(text: str) -> str:
    if "/" in text:
        raise ValueError("resource group name can't contain '/'")
    return _qualified(text)


Duration: TypeAlias = Annotated[float, BeforeValidator(_seconds)]
QualifiedName: TypeAlias = Annotated[str, AfterValidator(_qualified)]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        """As Go decodes it."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class NamedPlugin(_Strict):
    name: str = Field(min_length=1)
    weight: int = Field(default=0, ge=0, le=(1 << 31) - 1)


class PluginSet(_Strict):
    enabled: list[NamedPlugin] = []
    disabled: list[NamedPlugin] = []


class Plugins(_Strict):
    preEnqueue: PluginSet = PluginSet()
    queueSort: PluginSet = PluginSet()
    preFilter: PluginSet = PluginSet()
    filter: PluginSet = PluginSet()
    postFilter: PluginSet = PluginSet()
    preScore: PluginSet = PluginSet()
    score: PluginSet = PluginSet()
    reserve: PluginSet = PluginSet()
    permit: PluginSet = PluginSet()
    preBind: PluginSet = PluginSet()
    bind: PluginSet = PluginSet()
    postBind: PluginSet = PluginSet()
    multiPoint: PluginSet = PluginSet()


class PluginConfig(_Strict):
    name: str = Field(min_length=1)
    args: dict[str, Any] = {}


def _called(path: str) -> str:
    if not re.fullmatch(r"[A-Za-z][-A-Za-z0-9_]*\.py", Path(path).name):
        raise ValueError("must be a Python file called by letters, digits, - and _, such as spot.py")
    return path


class Policy(_Strict):
    """A Python file of the user's, relative to the configuration. `weight` is that of its scores."""

    path: Annotated[str, AfterValidator(_called)]
    weight: int = Field(default=1, ge=0, le=100)
    timeoutSeconds: float = Field(default=1.0, gt=0, le=60)


class ProfileExtras(_Strict):
    policies: list[Policy] = []


class Profile(_Strict):
    schedulerName: str = Field(default="", max_length=253)
    percentageOfNodesToScore: int | None = Field(default=None, ge=0, le=100)
    plugins: Plugins = Plugins()
    pluginConfig: list[PluginConfig] = []
    sampan: ProfileExtras = ProfileExtras()


class LeaderElection(_Strict):
    """Fields that are not given are None, so that flags and defaults fill them."""

    leaderElect: bool | None = None
    leaseDuration: Duration | None = None
    renewDeadline: Duration | None = None
    retryPeriod: Duration | None = None
    resourceLock: Literal["leases"] = "leases"
    resourceName: str = "kube-scheduler"
    resourceNamespace: str = "kube-system"


class ClientConnection(_Strict):
    kubeconfig: str = ""
    acceptContentTypes: str = ""
    contentType: str = ""
    qps: float | None = None
    burst: int | None = Field(default=None, ge=0)


class Extras(_Strict):
    """`seed` makes the choice between equal nodes repeatable."""

    seed: int = 0
    bindsInFlight: int = Field(default=100, ge=1)


class Configuration(_Strict):
    apiVersion: Literal["kubescheduler.config.k8s.io/v1"]
    kind: Literal["KubeSchedulerConfiguration"]
    parallelism: int | None = Field(default=None, ge=1)
    leaderElection: LeaderElection = LeaderElection()
    clientConnection: ClientConnection = ClientConnection()
    enableProfiling: bool | None = None
    enableContentionProfiling: bool | None = None
    percentageOfNodesToScore: int | None = Field(default=None, ge=0, le=100)
    podInitialBackoffSeconds: int = Field(default=1, ge=1)
    podMaxBackoffSeconds: int = Field(default=10, ge=1)
    profiles: list[Profile] = []
    extenders: list[dict[str, Any]] = []
    delayCacheUntilActive: bool | None = None
    sampan: Extras = Extras()

    @model_validator(mode="after")
    def _backoff(self) -> Configuration:
        if self.podMaxBackoffSeconds < self.podInitialBackoffSeconds:
            raise ValueError("podMaxBackoffSeconds: must be greater than or equal to podInitialBackoffSeconds")
        return self


class Args(_Strict):
    """`kind` is that of the plug-in's arguments; `registry` compares it."""

    apiVersion: Literal["kubescheduler.config.k8s.io/v1"] = "kubescheduler.config.k8s.io/v1"
    kind: str = ""


class ResourceSpec(_Strict):
    name: str = Field(min_length=1)
    weight: int = Field(default=1, ge=0, le=100)
    """0 counts as 1, as in Kubernetes."""


class ShapePoint(_Strict):
    utilization: int = Field(ge=0, le=100)
    score: int = Field(ge=0, le=10)


def _rising(shape: list[ShapePoint]) -> list[ShapePoint]:
    points = [point.utilization for point in shape]
    if points != sorted(set(points)):
        raise ValueError("utilization values must be sorted in increasing order")
    return shape


class RequestedToCapacityRatio(_Strict):
    shape: Annotated[list[ShapePoint], Field(min_length=1), AfterValidator(_rising)]


class ScoringStrategy(_Strict):
    type: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] = "LeastAllocated"
    resources: list[ResourceSpec] = []
    requestedToCapacityRatio: RequestedToCapacityRatio | None = None

    @model_validator(mode="after")
    def _shape_of_ratio(self) -> ScoringStrategy:
        if self.type == "RequestedToCapacityRatio" and self.requestedToCapacityRatio is None:
            raise ValueError("requestedToCapacityRatio: Required value: type RequestedToCapacityRatio needs a shape")
        return self


class NodeResourcesFitArgs(Args):
    ignoredResources: list[QualifiedName] = []
    ignoredResourceGroups: list[Annotated[str, AfterValidator(_group)]] = []
    scoringStrategy: ScoringStrategy = ScoringStrategy()


def _once(resources: list[ResourceSpec]) -> list[ResourceSpec]:
    seen: set[str] = set()
    for resource in resources:
        if resource.name in seen:
            raise ValueError(f"resource {resource.name} is there twice")
        if resource.weight not in (0, 1):
            raise ValueError(f"weight of resource {resource.name} must be 1")
        seen.add(resource.name)
    return resources


class NodeResourcesBalancedAllocationArgs(Args):
    resources: Annotated[list[ResourceSpec], AfterValidator(_once)] = []


class InterPodAffinityArgs(Args):
    hardPodAffinityWeight: int = Field(default=1, ge=0, le=100)
    ignorePreferredTermsOfExistingPods: bool = False


class NodeAffinityArgs(Args):
    addedAffinity: dict[str, Any] | None = None


class DefaultPreemptionArgs(Args):
    minCandidateNodesPercentage: int = Field(default=10, ge=0, le=100)
    minCandidateNodesAbsolute: int = Field(default=100, ge=0)

    @model_validator(mode="after")
    def _not_nobody(self) -> DefaultPreemptionArgs:
        if not (self.minCandidateNodesPercentage or self.minCandidateNodesAbsolute):
            raise ValueError("minCandidateNodesPercentage and minCandidateNodesAbsolute cannot both be 0")
        return self


class VolumeBindingArgs(Args):
    bindTimeoutSeconds: int = Field(default=600, ge=0)


class NoArgs(Args):
    """A plug-in that has no arguments."""
