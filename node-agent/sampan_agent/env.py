"""The environment of a container, and `$(VAR)` in its command, args and values."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan_api import quantity

from sampan_agent.errors import ConfigError, ObjectUnavailable
from sampan_agent.objects import ObjectReader, decoded
from sampan_agent.podspec import Container, Pod

_REFERENCE = re.compile(r"\$(\$|\(([^)$]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable's value, `$$` a dollar; a name that is not defined stays as it is written."""

    def replace(match: re.Match[str]) -> str:
        if match.group(1) == "$":
            return "$"
        return variables.get(match.group(2), match.group(0))

    return _REFERENCE.sub(replace, text)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What the downward API says of the node."""

    name: str
    ip: str
    cpu_milli: int
    memory: int


def field_value(pod: Pod, path: str, ips: tuple[str, ...], node: NodeFacts) -> str:
    """The downward API's `fieldRef`."""
    if match := _SUBSCRIPT.fullmatch(path):
        return str((pod.metadata.get(match.group(1)) or {}).get(match.group(2), ""))
    match path:
        case "metadata.name":
            return pod.name
        case "metadata.namespace":
            return pod.namespace
        case "metadata.uid":
            return pod.uid
        case "metadata.labels" | "metadata.annotations":
            entries = pod.metadata.get(path.removeprefix("metadata.")) or {}
            return "\n".join(f"{k}={_quoted(v)}" for k, v in sorted(entries.items()))
        case "spec.nodeName":
            return str(pod.spec.get("nodeName", ""))
        case "spec.serviceAccountName":
            return str(pod.spec.get("serviceAccountName", ""))
        case "status.hostIP" | "status.hostIPs":
            return node.ip
        case "status.podIP":
            return ips[0] if ips else ""
        case "status.podIPs":
            return ",".join(ips)
    raise ConfigError(f"unsupported fieldPath: {path}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def resource_value(pod: Pod, container: Container, ref: dict[str, Any], node: NodeFacts) -> str:
    """The downward API's `resourceFieldRef`, divided by its divisor and rounded up."""
    if (name := ref.get("containerName")) and name != container.name:
        other = pod.container(name)
        if other is None:
            raise ConfigError(f"container {name} not found in pod {pod.name}")
        container = other
    side, _, resource = str(ref["resource"]).partition(".")
    resources = container.raw.get("resources") or {}
    amount = (resources.get(side) or {}).get(resource)
    if amount is None and side == "requests":
        amount = (resources.get("limits") or {}).get(resource, 0)
    if amount is None:
        amount = {"cpu": f"{node.cpu_milli}m", "memory": str(node.memory)}.get(resource, "0")
    divisor = str(ref.get("divisor") or "1")
    unit = quantity.milli("1" if divisor == "0" else divisor)
    return str(-(-quantity.milli(amount) // max(unit, 1)))


async def build_env(
    pod: Pod, container: Container, read: ObjectReader, ips: tuple[str, ...], node: NodeFacts
) -> dict[str, str]:
    """Raises ConfigError, ObjectUnavailable."""
    env: dict[str, str] = {}
    for source in container.raw.get("envFrom") or []:
        env.update(await _from_object(pod, source, read))
    for variable in container.raw.get("env") or []:
        value_from = variable.get("valueFrom")
        if value_from is None:
            env[variable["name"]] = expand(variable.get("value") or "", env)
            continue
        value = await _value_from(pod, container, value_from, read, ips, node)
        if value is not None:
            env[variable["name"]] = value
    return env


async def _from_object(pod: Pod, source: dict[str, Any], read: ObjectReader) -> dict[str, str]:
    kind, ref = ("ConfigMap", source["configMapRef"]) if source.get("configMapRef") else ("Secret", source["secretRef"])
    obj = await _read(read, kind, pod.namespace, ref)
    if obj is None:
        return {}
    prefix = source.get("prefix") or ""
    return {prefix + key: value.decode(errors="replace") for key, value in decoded(obj).items()}


async def _value_from(
    pod: Pod,
    container: Container,
    value_from: dict[str, Any],
    read: ObjectReader,
    ips: tuple[str, ...],
    node: NodeFacts,
) -> str | None:
    if ref := value_from.get("fieldRef"):
        return field_value(pod, ref["fieldPath"], ips, node)
    if ref := value_from.get("resourceFieldRef"):
        return resource_value(pod, container, ref, node)
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if ref := value_from.get(field):
            return await _key(pod, kind, ref, read)
    raise ConfigError("a variable has an unsupported source")


async def _key(pod: Pod, kind: str, ref: dict[str, Any], read: ObjectReader) -> str | None:
    obj = await _read(read, kind, pod.namespace, ref)
    if obj is None:
        return None
    value = decoded(obj).get(ref["key"])
    if value is None:
        if ref.get("optional"):
            return None
        raise ConfigError(f"couldn't find key {ref['key']} in {kind} {pod.namespace}/{ref['name']}")
    return value.decode(errors="replace")


async def _read(
    read: Callable[[str, str, str], Awaitable[dict[str, Any]]], kind: str, namespace: str, ref: dict[str, Any]
) -> dict[str, Any] | None:
    try:
        return await read(kind, namespace, ref["name"])
    except ObjectUnavailable as e:
        if e.missing and ref.get("optional"):
            return None
        if e.missing:
            raise ConfigError(str(e)) from e
        raise
