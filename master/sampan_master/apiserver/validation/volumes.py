"""Volumes of a pod spec."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from sampan_master.apiserver.validation.containers import relative_path
from sampan_master.apiserver.validation.environment import VOLUME_FIELDS, field_reference, resource_reference
from sampan_master.apiserver.validation.fields import (
    Errors,
    FieldError,
    duplicate,
    forbidden,
    invalid,
    required,
    unsupported,
)
from sampan_master.apiserver.validation.names import complain, dns_label
from sampan_master.apiserver.validation.numbers import between

_HOST_PATH_TYPES = ("BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_HIGHEST_MODE = 0o777
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def validate_volumes(volumes: list[dict[str, Any]], path: str) -> Generator[FieldError, None, set[str]]:
    """Yields the errors; its value is the set of volume names, for the mounts to refer to."""
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        yield from _sources(volume, at)
        name = volume.get("name", "")
        if not name:
            yield required(f"{at}.name")
            continue
        yield from complain(f"{at}.name", name, dns_label(name))
        if name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
    return names


_IN_ORDER = ("emptyDir", "hostPath", "secret", "configMap", "downwardAPI", "projected", "persistentVolumeClaim")


def _sources(volume: dict[str, Any], path: str) -> Errors:
    said = [source for source in volume if source != "name" and volume[source] is not None]
    said.sort(key=lambda source: _IN_ORDER.index(source) if source in _IN_ORDER else len(_IN_ORDER))
    for source in said[1:]:
        yield forbidden(f"{path}.{source}", "may not specify more than 1 volume type")
    if not said:
        yield required(path, "must specify a volume type")
        return
    at, value = f"{path}.{said[0]}", volume[said[0]]
    match said[0]:
        case "hostPath":
            yield from validate_host_path(value, at)
        case "secret":
            yield from _files(value, at, "secretName")
        case "configMap":
            yield from _files(value, at, "name")
        case "downwardAPI":
            yield from _mode(value, f"{at}.defaultMode")
            yield from _downward(value, at)
        case "projected":
            yield from _projected(value, at)
        case "persistentVolumeClaim" if not value.get("claimName"):
            yield required(f"{at}.claimName")


def validate_host_path(source: dict[str, Any], path: str) -> Errors:
    target = source.get("path", "")
    if not target:
        yield required(f"{path}.path")
    elif ".." in target.split("/"):
        yield invalid(f"{path}.path", target, "must not contain '..'")
    if source.get("type") and source["type"] not in _HOST_PATH_TYPES:
        yield unsupported(f"{path}.type", source["type"], _HOST_PATH_TYPES)


def _files(source: dict[str, Any], path: str, name: str) -> Errors:
    if not source.get(name):
        yield required(f"{path}.{name}")
    yield from _mode(source, f"{path}.defaultMode")
    yield from _items(source.get("items") or [], f"{path}.items")


def _items(items: list[dict[str, Any]], path: str) -> Errors:
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        if not item.get("key"):
            yield required(f"{at}.key")
        yield from _target(item, at)
        if item.get("mode") is not None and not 0 <= item["mode"] <= _HIGHEST_MODE:
            yield invalid(f"{at}.mode", item["mode"], _MODE)


def _target(item: dict[str, Any], at: str) -> Errors:
    target = item.get("path", "")
    if not target:
        yield required(f"{at}.path")
    yield from relative_path(target, f"{at}.path")
    if target.startswith("..") and ".." not in target.split("/"):
        yield invalid(f"{at}.path", target, "must not start with '..'")


def _mode(source: dict[str, Any], path: str) -> Errors:
    mode = source.get("defaultMode")
    if mode is not None and not 0 <= mode <= _HIGHEST_MODE:
        yield invalid(path, mode, _MODE)


def _downward(source: dict[str, Any], path: str) -> Errors:
    for index, item in enumerate(source.get("items") or []):
        at = f"{path}.items[{index}]"
        yield from _target(item, at)
        if item.get("fieldRef") is not None:
            yield from field_reference(item["fieldRef"], f"{at}.fieldRef", VOLUME_FIELDS)
            if item.get("resourceFieldRef") is not None:
                yield invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif item.get("resourceFieldRef") is not None:
            yield from resource_reference(item["resourceFieldRef"], f"{at}.resourceFieldRef", volume=True)
        else:
            yield required(at, "one of fieldRef and resourceFieldRef is required")


def _projected(source: dict[str, Any], path: str) -> Errors:
    yield from _mode(source, f"{path}.defaultMode")
    for index, part in enumerate(source.get("sources") or []):
        at = f"{path}.sources[{index}]"
        said = [kind for kind in part if part[kind] is not None]
        for kind in said[1:]:
            yield forbidden(f"{at}.{kind}", "may not specify more than 1 volume type")
        for kind in said[:1]:
            value = part[kind]
            if kind in ("secret", "configMap"):
                if not value.get("name"):
                    yield required(f"{at}.{kind}.name")
                yield from _items(value.get("items") or [], f"{at}.{kind}.items")
            elif kind == "downwardAPI":
                yield from _downward(value, f"{at}.{kind}")
            elif kind == "serviceAccountToken":
                yield from _token(value, f"{at}.{kind}")


def _token(source: dict[str, Any], path: str) -> Errors:
    yield from between(source.get("expirationSeconds"), 600, 1 << 32, f"{path}.expirationSeconds")
    if not source.get("path"):
        yield required(f"{path}.path")
