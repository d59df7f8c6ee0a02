"""Environment variables and their sources."""

from __future__ import annotations

import re
from typing import Any

from sampan_master.apiserver.validation.fields import Errors, invalid, required, unsupported
from sampan_master.apiserver.validation.names import complain, config_key, dns_subdomain, env_name, named

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ENV_FIELDS = frozenset(
    {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    }
)
VOLUME_FIELDS = frozenset(
    {"metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"}
)
_POD_FIELDS = (
    _ENV_FIELDS | VOLUME_FIELDS | {"spec.restartPolicy", "spec.schedulerName", "spec.hostNetwork", "status.phase"}
)
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)


def validate_env(variables: list[dict[str, Any]], path: str) -> Errors:
    for index, variable in enumerate(variables):
        at = f"{path}[{index}]"
        name = variable.get("name", "")
        yield from named(name, env_name, f"{at}.name")
        if variable.get("valueFrom") is not None:
            yield from _value_from(variable, f"{at}.valueFrom")


def _value_from(variable: dict[str, Any], path: str) -> Errors:
    source = variable["valueFrom"]
    said = [kind for kind in _SOURCES if source.get(kind) is not None]
    if not said:
        choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield invalid(path, "", f"must specify one of: {choices}")
        return
    if variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(said) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")
    if source.get("fieldRef") is not None:
        yield from field_reference(source["fieldRef"], f"{path}.fieldRef", _ENV_FIELDS)
    if source.get("resourceFieldRef") is not None:
        yield from resource_reference(source["resourceFieldRef"], f"{path}.resourceFieldRef")
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if source.get(kind) is not None:
            yield from _key_reference(source[kind], f"{path}.{kind}")


def _key_reference(selector: dict[str, Any], path: str) -> Errors:
    if not selector.get("name"):
        yield required(f"{path}.name")
    yield from named(selector.get("key", ""), config_key, f"{path}.key")


def field_reference(reference: dict[str, Any], path: str, allowed: frozenset[str]) -> Errors:
    """`allowed` says which whole fields may be named here; labels and annotations may always be picked by key."""
    field = reference.get("fieldPath", "")
    if not reference.get("apiVersion"):
        yield required(f"{path}.apiVersion")
    elif not field:
        yield required(f"{path}.fieldPath")
    elif _SUBSCRIPT.fullmatch(field):
        return
    elif field not in _POD_FIELDS:
        yield invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}")
    elif field not in allowed:
        yield unsupported(f"{path}.fieldPath", field, sorted(allowed))


def resource_reference(reference: dict[str, Any], path: str, *, volume: bool = False) -> Errors:
    name = reference.get("resource", "")
    if volume and not reference.get("containerName"):
        yield required(f"{path}.containerName")
    elif not name:
        yield required(f"{path}.resource")
    elif name not in _RESOURCES and ".hugepages-" not in name:
        yield unsupported(path, name, _RESOURCES)


def validate_env_from(sources: list[dict[str, Any]], path: str) -> Errors:
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        said = [kind for kind in ("configMapRef", "secretRef") if source.get(kind) is not None]
        if source.get("prefix"):
            yield from complain(f"{at}.prefix", source["prefix"], env_name(source["prefix"]))
        if not said:
            yield invalid(at, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(said) > 1:
            yield invalid(at, "", "may not have more than one field specified at a time")
        for kind in said:
            name = source[kind].get("name", "")
            yield from named(name, dns_subdomain, f"{at}.{kind}.name")
