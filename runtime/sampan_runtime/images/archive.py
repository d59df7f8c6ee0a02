"""Images from a tar file: an OCI image layout, or what `docker save` writes (new ones are both).

Members are looked up by name and read as streams; nothing is extracted to a path the archive chooses.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tarfile
from pathlib import Path
from typing import IO, Any

from sampan_runtime.images.config import (
    DOCKER_INDEX,
    INDEX,
    LAYER,
    MANIFEST,
    Descriptor,
    choose_platform,
    load_object,
    parse_descriptor,
    parse_manifest,
)
from sampan_runtime.images.errors import BadImage, ImageError
from sampan_runtime.images.reference import Reference, parse
from sampan_runtime.images.store import METADATA_LIMIT, ImageStore, StoredImage

log = logging.getLogger(__name__)

_NAME_KEYS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_CHUNK = 1 << 20


def import_archive(store: ImageStore, path: Path, names: tuple[str, ...] = ()) -> list[StoredImage]:
    """Every image in the file; `names` replaces the references that the file gives (for a file with one image)."""
    try:
        with tarfile.open(path) as archive:
            members = {member.name.removeprefix("./"): member for member in archive if member.isreg()}
            reader = _Archive(archive, members)
            if "index.json" in members:
                return _import_layout(store, reader, names)
            if "manifest.json" in members:
                return _import_docker(store, reader, names)
    except tarfile.TarError as error:
        raise BadImage(f"{path}: not a tar file: {error}") from error
    raise BadImage(f"{path}: neither an OCI layout nor a docker archive")


def incoming(store: ImageStore) -> Path:
    """Where archives wait that were brought while a daemon owned the store."""
    return store.root / "incoming"


def import_incoming(store: ImageStore) -> None:
    """A bad archive is set aside, so that it is tried only once."""
    folder = incoming(store)
    for path in sorted(folder.glob("*.tar")) if folder.is_dir() else ():
        try:
            images = import_archive(store, path)
        except (ImageError, OSError) as error:
            log.error("image archive %s: %s", path.name, error)
            path.rename(path.with_suffix(".bad"))
            continue
        path.unlink()
        log.info("imported %s", ", ".join(image.reference for image in images))


class _Archive:
    def __init__(self, archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> None:
        self._archive = archive
        self._members = members

    def open(self, name: str) -> IO[bytes]:
        member = self._members.get(name)
        file = self._archive.extractfile(member) if member else None
        if file is None:
            raise BadImage(f"{name} is missing in the archive")
        return file

    def read(self, name: str) -> bytes:
        return self.open(name).read(METADATA_LIMIT)

    def blob(self, digest: str) -> IO[bytes]:
        return self.open("blobs/" + digest.replace(":", "/"))


def _import_layout(store: ImageStore, archive: _Archive, names: tuple[str, ...]) -> list[StoredImage]:
    entries = load_object(archive.read("index.json"), "index.json").get("manifests")
    if not isinstance(entries, list) or not entries:
        raise BadImage("index.json names no image")
    images = []
    for entry in entries:
        manifest = _copy_manifest(store, archive, parse_descriptor(entry))
        found = names or _annotated(entry.get("annotations") or {})
        images.append(store.add(manifest, [parse(name) for name in found]))
    return images


def _annotated(annotations: dict[str, Any]) -> tuple[str, ...]:
    """A bare tag ("latest"), as skopeo writes it, names no repository and is passed over."""
    for key in _NAME_KEYS:
        name = annotations.get(key)
        if isinstance(name, str) and ("/" in name or ":" in name):
            return (name,)
    return ()


def _copy_manifest(store: ImageStore, archive: _Archive, descriptor: Descriptor) -> str:
    if descriptor.media_type in (INDEX, DOCKER_INDEX):
        index = archive.blob(descriptor.digest).read(METADATA_LIMIT)
        return _copy_manifest(store, archive, choose_platform(index))
    store.put_stream(archive.blob(descriptor.digest), descriptor.digest, METADATA_LIMIT)
    manifest = parse_manifest(store.read_blob(descriptor.digest))
    store.put_stream(archive.blob(manifest.config.digest), manifest.config.digest, METADATA_LIMIT)
    for layer in manifest.layers:
        store.put_stream(archive.blob(layer.digest), layer.digest, layer.size)
    return descriptor.digest


def _import_docker(store: ImageStore, archive: _Archive, names: tuple[str, ...]) -> list[StoredImage]:
    try:
        entries = json.loads(archive.read("manifest.json"))
        rows = [(row["Config"], list(row["Layers"]), list(row.get("RepoTags") or [])) for row in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise BadImage(f"manifest.json: {error}") from error
    images = []
    for config_name, layers, tags in rows:
        config = archive.read(config_name)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe(store.put_bytes(config), len(config), "application/vnd.oci.image.config.v1+json"),
            "layers": [_copy_layer(store, archive, name) for name in layers],
        }
        digest = store.put_bytes(json.dumps(manifest, separators=(",", ":")).encode())
        references: list[Reference] = [parse(name) for name in (names or tags)]
        images.append(store.add(digest, references))
    return images


def _copy_layer(store: ImageStore, archive: _Archive, name: str) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with archive.open(name) as source:
        while data := source.read(_CHUNK):
            digest.update(data)
            size += len(data)
    found = f"sha256:{digest.hexdigest()}"
    with archive.open(name) as source:
        store.put_stream(source, found, size)
    return describe(found, size, LAYER)


def describe(digest: str, size: int, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}
