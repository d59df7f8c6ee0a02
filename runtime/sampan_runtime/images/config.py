"""What of an image's manifest and config the runtime acts on, checked at the door (OCI image spec, config.md)."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from typing import Any

from sampan_runtime.images.errors import BadImage
from sampan_runtime.images.reference import is_digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


@dataclass(frozen=True, slots=True)
class Descriptor:
    digest: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Manifest:
    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class ImageConfig:
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    stop_signal: str = ""
    diff_ids: tuple[str, ...] = ()

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """The bottom layer's first (OCI image spec, config.md, "Layer ChainID")."""
        chain: list[str] = []
        for diff_id in self.diff_ids:
            chain.append(digest_of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
        return tuple(chain)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def load_object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadImage(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadImage(f"{what} is not a JSON object")
    return value


def parse_descriptor(data: Any) -> Descriptor:
    if not isinstance(data, dict) or not is_digest(str(data.get("digest"))):
        raise BadImage("descriptor without a sha256 digest")
    size = data.get("size", 0)
    if not isinstance(size, int) or size < 0:
        raise BadImage("descriptor with an invalid size")
    return Descriptor(data["digest"], size, str(data.get("mediaType", "")))


def parse_manifest(data: bytes) -> Manifest:
    value = load_object(data, "manifest")
    layers = value.get("layers")
    if not isinstance(layers, list):
        raise BadImage("manifest without layers (schema 1 is not supported)")
    return Manifest(parse_descriptor(value.get("config")), tuple(map(parse_descriptor, layers)))


def parse_config(data: bytes) -> ImageConfig:
    value = load_object(data, "image config")
    section = value.get("config") or {}
    rootfs = value.get("rootfs") or {}
    if not isinstance(section, dict) or not isinstance(rootfs, dict):
        raise BadImage("image config of the wrong shape")
    diff_ids = _strings(rootfs, "diff_ids")
    if not all(map(is_digest, diff_ids)):
        raise BadImage("image config with an invalid diff id")
    return ImageConfig(
        env=_strings(section, "Env"),
        entrypoint=_strings(section, "Entrypoint"),
        cmd=_strings(section, "Cmd"),
        user=str(section.get("User") or ""),
        working_dir=str(section.get("WorkingDir") or ""),
        stop_signal=str(section.get("StopSignal") or ""),
        diff_ids=diff_ids,
    )


def choose_platform(index: bytes) -> Descriptor:
    """The manifest of an index for this machine; an index of one entry without a platform is that entry."""
    entries = load_object(index, "image index").get("manifests")
    if not isinstance(entries, list) or not entries:
        raise BadImage("image index without manifests")
    wanted = architecture()
    for entry in entries:
        platform_of = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(platform_of, dict) and platform_of.get("os") == "linux":
            if platform_of.get("architecture") == wanted:
                return parse_descriptor(entry)
        elif platform_of is None and len(entries) == 1:
            return parse_descriptor(entry)
    raise BadImage(f"no image for linux/{wanted} in the index")


def _strings(section: dict[str, Any], key: str) -> tuple[str, ...]:
    value = section.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadImage(f"image config: {key} is not a list of strings")
    return tuple(value)
