"""Volumes of a pod spec."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from sampan_master.apiserver.validation.containers import named_once, relative_path
from sampan_master.apiserver.validation.environment import VOLUME_FIELDS, field_reference, resource_reference
from sampan_master.apiserver.validation.fields import (
    Errors,
    FieldError,
    forbidden,
    invalid,
    required,
    unsupported,
)
from sampan_master.apiserver.validation.numbers import token_lifetime

_HOST_PATH_TYPES = ("BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_HIGHEST_MODE = 0o777
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def validate_volumes(volumes: list[dict[str, Any]], path: str) -> Generator[FieldError, None, set[str]]:
    """Yields the errors; its value is the set of volume names, for the mounts to refer to."""
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        yield from _sources(volume, at)
        yield from named_once(volume, at, names)
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
            yield from _mode(value.get("defaultMode"), f"{at}.defaultMode")
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
    yield from _mode(source.get("defaultMode"), f"{path}.defaultMode")
    yield from _items(source.get("items") or [], f"{path}.items")


def _items(items: list[dict[str, Any]], path: str) -> Errors:
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        if not item.get("key"):
            yield required(f"{at}.key")
        yield from _target(item, at)
        yield from _mode(item.get("mode"), f"{at}.mode")


def _target(item: dict[str, Any], at: str) -> Errors:
    """`path`: the file that it becomes, below the volume and not where the node keeps its own."""
    target = item.get("path", "")
    if not target:
        yield required(f"{at}.path")
    yield from relative_path(target, f"{at}.path")
    if target.startswith("..") and not target.startswith("../"):
        yield invalid(f"{at}.path", target, "must not start with '..'")


def _mode(mode: int | None, path: str) -> Errors:
    if mode is not None and not 0 <= mode <= _HIGHEST_MODE:
        yield invalid(path, mode, _MODE)


def _downward(source: dict[str, Any], path: str) -> Errors:
    """The real server does not say which of the items it means."""
    for item in source.get("items") or []:
        yield from _target(item, path)
        if item.get("fieldRef") is not None:
            yield from field_reference(item["fieldRef"], f"{path}.fieldRef", VOLUME_FIELDS)
            if item.get("resourceFieldRef") is not None:
                yield invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif item.get("resourceFieldRef") is not None:
            yield from resource_reference(item["resourceFieldRef"], f"{path}.resourceFieldRef", volume=True)
        else:
            yield required(path, "one of fieldRef and resourceFieldRef is required")
        yield from _mode(item.get("mode"), f"{path}.mode")


def _projected(source: dict[str, Any], path: str) -> Errors:
    yield from _mode(source.get("defaultMode"), f"{path}.defaultMode")
    files: set[str] = set()
    for index, part in enumerate(source.get("sources") or []):
        at = f"{path}.sources[{index}]"
        for kind in ("secret", "configMap"):
            value = part.get(kind)
            if value is not None:
                if not value.get("name"):
                    yield required(f"{at}.{kind}.name")
                yield from _items(value.get("items") or [], f"{at}.{kind}.items")
                yield from _conflicts(value, files, path, value.get("name", ""))
        if part.get("downwardAPI") is not None:
            yield from _downward(part["downwardAPI"], f"{at}.downwardAPI")
            yield from _conflicts(part["downwardAPI"], files, path)
        if part.get("serviceAccountToken") is not None:
            yield from _token(part["serviceAccountToken"], path, f"{at}.serviceAccountToken")
        if sum(value is not None for value in part.values()) > 1:
            yield forbidden(at, "may not specify more than 1 volume type")


def _conflicts(source: dict[str, Any], files: set[str], path: str, name: str | None = None) -> Errors:
    """Files that an earlier source writes too. `files`, those so far, grows; `name`: what is shown instead of it."""
    for item in source.get("items") or []:
        file = item.get("path", "")
        if file and file in files:
            yield invalid(path, file if name is None else name, "conflicting duplicate paths")
        files.add(file)


def _token(source: dict[str, Any], path: str, at: str) -> Errors:
    """The real server speaks of the file at `path`, as if it were the volume's."""
    yield from token_lifetime(source.get("expirationSeconds"), f"{at}.expirationSeconds")
    yield from _target(source, path)
