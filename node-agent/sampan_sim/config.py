"""What is simulated: the file of `sampan sim -f`, checked when it is read.

`nodes` is a list of groups of equal nodes, `pods` a list of behaviours of which the first that matches a pod counts; a
pod that none matches behaves as `Behaviour()` says. Field names are Kubernetes' where there is one.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from sampan_api import names, quantity
from sampan_api.documents import DecodeError, decode_yaml_documents

from sampan_sim.durations import Duration, Exponential, Fixed, LogNormal, Uniform, parse_duration, read_duration
from sampan_sim.errors import ConfigError
from sampan_sim.mistakes import told

_DAY = 86_400.0
_READING = "error converting YAML to JSON: yaml: "
_REASON = re.compile(r"[A-Z][A-Za-z]*")


def _quantities(amounts: dict[str, Any]) -> dict[str, str]:
    for name, amount in amounts.items():
        _key(name)
        try:
            amounts[name] = str(amount)
            parsed = quantity.parse(amounts[name])
        except quantity.QuantityError as error:
            raise ValueError(f'{name}: "{amount}" is no quantity such as 500m, 8 or 16Gi') from error
        if parsed < quantity.parse(0):
            raise ValueError(f"{name}: {amount} is less than 0")
        if name == "pods" and parsed != quantity.parse(parsed.value):
            raise ValueError(f"pods: {amount} is no whole number")
    return amounts


def _name(text: str) -> str:
    if names.dns_label(text):
        raise ValueError(f'"{text}" is no name: small letters, digits and dashes, at most 63')
    return text


def _key(text: str) -> str:
    if problems := names.qualified_name(text):
        raise ValueError(f'"{text}" is no name such as example.com/gpu: {problems[0]}')
    return text


def _label(text: str) -> str:
    if problems := names.label_value(text):
        raise ValueError(f'"{text}" is no value of a label: {problems[0]}')
    return text


def _reason(text: str) -> str:
    if not _REASON.fullmatch(text):
        raise ValueError(f'"{text}" is no reason such as Error or OOMKilled: one word that begins with a capital')
    return text


def _duration(value: Any) -> Duration:
    return value if isinstance(value, (Fixed, Uniform, Exponential, LogNormal)) else read_duration(value)


def _network(text: Any) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(str(text))
    except ValueError as error:
        raise ValueError(f'"{text}" is no IPv4 network such as 100.64.0.0/10') from error


Name = Annotated[str, AfterValidator(_name)]
Key = Annotated[str, AfterValidator(_key)]
LabelValue = Annotated[str, AfterValidator(_label)]
Labels = dict[Key, LabelValue]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Time = Annotated[Duration, BeforeValidator(_duration)]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Amounts = Annotated[dict[str, Any], AfterValidator(_quantities)]
Network = Annotated[ipaddress.IPv4Network, BeforeValidator(_network)]
Chance = Annotated[float, Field(ge=0, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, arbitrary_types_allowed=True
    )


class Taint(_Model):
    key: Key
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class NodeGroup(_Model):
    """Equal nodes, called PREFIX-NAME-0 and so on. `zones` are given to them in turn."""

    name: Name
    count: Count = 1
    capacity: Amounts = Field(default_factory=lambda: {"cpu": "8", "memory": "32Gi", "pods": "110"})
    allocatable: Amounts = Field(default_factory=dict)
    labels: Labels = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    zones: tuple[LabelValue, ...] = ()
    region: LabelValue = ""

    @model_validator(mode="after")
    def _fits(self) -> NodeGroup:
        for name in ("cpu", "memory", "pods"):
            if name not in self.capacity:
                raise ValueError(f"capacity: {name} is missing")
        for name, amount in self.allocatable.items():
            if name not in self.capacity:
                raise ValueError(f"allocatable: {name} is not in capacity")
            if quantity.parse(amount) > quantity.parse(self.capacity[name]):
                raise ValueError(f"allocatable: {name} {amount} is more than capacity {self.capacity[name]}")
        return self

    @property
    def pods(self) -> int:
        return quantity.parse(self.capacity["pods"]).value


class Failure(_Model):
    """Each run of a pod's containers fails with chance `rate`, `after` that time, with one of the exit codes."""

    rate: Chance = 0.0
    after: Time = Field(default_factory=lambda: Fixed(1.0))
    exit_codes: Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], Field(min_length=1)] = (1,)
    reason: Annotated[str, AfterValidator(_reason)] = "Error"


class Behaviour(_Model):
    """How pods live. `run` None: for ever where the pod's restartPolicy is Always, else `END`.

    `namespaces` and `match_labels` empty: any.
    """

    name: str = "default"
    namespaces: tuple[str, ...] = ()
    match_labels: Labels = Field(default_factory=dict)
    start: Time = Field(default_factory=lambda: Fixed(0.0))
    ready: Time = Field(default_factory=lambda: Fixed(0.0))
    never_ready: Chance = 0.0
    run: Time | None = None
    failure: Failure = Field(default_factory=Failure)
    stop: Time = Field(default_factory=lambda: Fixed(0.0))

    def matches(self, namespace: str, labels: dict[str, str]) -> bool:
        if self.namespaces and namespace not in self.namespaces:
            return False
        return all(labels.get(key) == value for key, value in self.match_labels.items())


END = Uniform(1.0, 5.0)
"""How long pods that are to end run when nothing is said."""


class BackOff(_Model):
    """Between restarts: none the first time, then `base` doubled up to `max`; a run of twice `max` forgets it all."""

    base: Annotated[Seconds, Field(gt=0)] = 10.0
    max: Annotated[Seconds, Field(gt=0)] = 300.0

    @model_validator(mode="after")
    def _fits(self) -> BackOff:
        if self.max < self.base:
            raise ValueError(f"max ({self.max:g}s) is less than base ({self.base:g}s)")
        return self


class Lease(_Model):
    """As a kubelet's: renewed after a quarter of its duration."""

    duration: Annotated[Seconds, Field(ge=4, le=_DAY)] = 40.0

    @property
    def renew(self) -> float:
        return self.duration / 4


class Config(_Model):
    seed: int = 0
    nodes: Annotated[tuple[NodeGroup, ...], Field(min_length=1)] = (NodeGroup(name="node"),)
    pods: tuple[Behaviour, ...] = ()
    lease: Lease = Field(default_factory=Lease)
    node_status: Annotated[Seconds, Field(ge=1)] = 300.0
    back_off: BackOff = Field(default_factory=BackOff)
    merge: Seconds = 1.0
    """A pod's states that follow each other within this time are written as one."""
    events: bool = False
    """Whether pods tell of starts, failures and stops by Events, as kubelets do: three more writes for each pod."""
    pod_cidr: Annotated[Network, Field(alias="podCIDR")] = ipaddress.IPv4Network("100.64.0.0/10")
    node_cidr: Annotated[Network, Field(alias="nodeCIDR")] = ipaddress.IPv4Network("198.18.0.0/15")
    """Addresses of pods, cut into one range for each node, and of nodes. Nothing listens there."""

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        names = [group.name for group in self.nodes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f'nodes: two groups are called "{name}"')
        if self.pod_cidr.overlaps(self.node_cidr):
            raise ValueError(f"podCIDR {self.pod_cidr} and nodeCIDR {self.node_cidr} overlap")
        return self

    def behaviour(self, namespace: str, labels: dict[str, str]) -> Behaviour:
        return next((one for one in self.pods if one.matches(namespace, labels)), _DEFAULT)


_DEFAULT = Behaviour()


def load(path: Path) -> Config:
    """Raises ConfigError naming the file, the field and what it should be."""
    try:
        documents = decode_yaml_documents(path.read_bytes(), strict=True)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except DecodeError as error:
        raise ConfigError(f"{path} is no YAML: {str(error).removeprefix(_READING)}") from error
    if len(documents) > 1:
        raise ConfigError(f"{path}: there are {len(documents)} documents in it, parted by ---; one is read")
    try:
        return read(documents[0] if documents else {})
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read(said: Any) -> Config:
    """Raises ConfigError: a line for each field."""
    try:
        return Config.model_validate(said)
    except ValidationError as error:
        raise ConfigError("\n".join(told(Config, error))) from error
