"""The content store: blobs by digest, unpacked layers by chain id, and an index of what images there are.

    blobs/sha256/<hex>      manifests, configs, layers as they were received; written by rename, so whole or absent
    layers/<hex>/fs         one unpacked layer, ready to be an overlay's lower directory
    index.json              image id → references, manifest, size; the only file that is ever rewritten

The index alone says what exists. Blobs and layers that it does not lead to are swept, except layers in use by
containers.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, cast

from sampan_runtime.images.config import ImageConfig, Manifest, parse_config, parse_manifest
from sampan_runtime.images.errors import BadImage, ImageNotFound, InvalidReference
from sampan_runtime.images.reference import Reference, is_digest, parse
from sampan_runtime.images.unpack import unpack_layer
from sampan_runtime.statefiles import read_json, sync_filesystem, write_json

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
METADATA_LIMIT = 8 << 20
"""No manifest or config is larger; they are read whole."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    id: str
    manifest: str
    size: int
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    built_in: bool = False
    config: ImageConfig = field(default_factory=ImageConfig)

    @property
    def reference(self) -> str:
        return (self.tags or self.digests or (self.id,))[0]


class ImageStore:
    """Reads need no lock (the index is replaced, never changed); changes of the index hold one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._busy = 0
        self._images: dict[str, StoredImage] = {}
        for folder in (self._blobs, self._layers):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._load()

    @property
    def _blobs(self) -> Path:
        return self.root / "blobs" / "sha256"

    @property
    def _layers(self) -> Path:
        return self.root / "layers"

    def _load(self) -> None:
        for entry in read_json(self.root / "index.json") or []:
            try:
                config = parse_config(self.read_blob(entry["id"]))
            except ImageNotFound:
                continue
            tags, digests = tuple(entry.pop("tags")), tuple(entry.pop("digests"))
            self._images[entry["id"]] = StoredImage(**entry, tags=tags, digests=digests, config=config)

    def _save(self, images: dict[str, StoredImage]) -> None:
        rows = [asdict(replace(image, config=ImageConfig())) for image in images.values()]
        for row in rows:
            del row["config"]
        write_json(self.root / "index.json", rows, durable=True)
        self._images = images

    def images(self) -> list[StoredImage]:
        return list(self._images.values())

    def find(self, name: str) -> StoredImage | None:
        """By reference, by id, or by a unique prefix of an id as `docker` and `crictl` accept it."""
        wanted = name if name.startswith("sha256:") else f"sha256:{name}"
        if is_digest(wanted):
            return self._images.get(wanted)
        try:
            reference = parse(name)
        except InvalidReference:
            reference = None
        for image in self._images.values():
            if reference and (reference.digested in image.digests or reference.tagged in image.tags):
                return image
        if len(name) >= 6 and all(letter in "0123456789abcdef" for letter in wanted[7:]):
            matches = [image for key, image in self._images.items() if key.startswith(wanted)]
            return matches[0] if len(matches) == 1 else None
        return None

    def layer_paths(self, image: StoredImage) -> tuple[str, ...]:
        """Topmost first, as overlay's lowerdir wants them."""
        return tuple(str(self._layer(chain) / "fs") for chain in reversed(image.config.chain_ids))

    def blob_path(self, digest: str) -> Path:
        return self._blobs / digest.removeprefix("sha256:")

    def read_blob(self, digest: str) -> bytes:
        try:
            with open(self.blob_path(digest), "rb") as file:
                return file.read(METADATA_LIMIT)
        except FileNotFoundError:
            raise ImageNotFound(f"blob {digest} is missing") from None

    def put_bytes(self, data: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._write_blob(digest, lambda file: file.write(data))
        return digest

    def put_stream(self, source: IO[bytes], expected: str, limit: int) -> None:
        """Copies until the end; refuses content that is not what its digest says."""

        def copy(file: IO[bytes]) -> None:
            digest, length = hashlib.sha256(), 0
            while data := source.read(_CHUNK):
                length += len(data)
                if length > limit:
                    raise BadImage(f"blob {expected} is longer than announced")
                digest.update(data)
                file.write(data)
            if f"sha256:{digest.hexdigest()}" != expected:
                raise BadImage(f"blob {expected} has the digest sha256:{digest.hexdigest()}")

        self._write_blob(expected, copy)

    def _write_blob(self, digest: str, fill: Callable[[IO[bytes]], object]) -> None:
        target = self.blob_path(digest)
        if target.exists():
            return
        scratch = target.with_name(f".{target.name}.{threading.get_ident()}")
        try:
            with open(scratch, "wb") as file:
                fill(file)
            scratch.rename(target)
        finally:
            scratch.unlink(missing_ok=True)

    def _layer(self, chain: str) -> Path:
        return self._layers / chain.removeprefix("sha256:")

    def add(self, manifest_digest: str, references: Iterable[Reference], *, built_in: bool = False) -> StoredImage:
        """Unpacks what is missing of the image whose blobs are here and gives it these references."""
        self._busy += 1
        try:
            return self._add(manifest_digest, tuple(references), built_in)
        finally:
            self._busy -= 1

    def _add(self, manifest_digest: str, references: tuple[Reference, ...], built_in: bool) -> StoredImage:
        manifest = parse_manifest(self.read_blob(manifest_digest))
        config = parse_config(self.read_blob(manifest.config.digest))
        self._unpack(manifest, config)
        size = sum(self.blob_path(layer.digest).stat().st_size for layer in manifest.layers)
        with self._lock:
            images = dict(self._images)
            tags = {reference.tagged for reference in references if reference.tag}
            for key, other in images.items():
                images[key] = replace(other, tags=tuple(tag for tag in other.tags if tag not in tags))
            known = images.get(manifest.config.digest)
            digests = {f"{reference.repository}@{manifest_digest}" for reference in references}
            image = StoredImage(
                manifest.config.digest,
                manifest_digest,
                size + manifest.config.size,
                tags=tuple(sorted({*tags, *(known.tags if known else ())})),
                digests=tuple(sorted({*digests, *(known.digests if known else ())})),
                built_in=built_in or (known is not None and known.built_in),
                config=config,
            )
            images[image.id] = image
            self._save(images)
            return image

    def _unpack(self, manifest: Manifest, config: ImageConfig) -> None:
        if len(manifest.layers) != len(config.diff_ids):
            raise BadImage("manifest and config disagree on the number of layers")
        for layer, diff_id, chain in zip(manifest.layers, config.diff_ids, config.chain_ids, strict=True):
            target = self._layer(chain)
            if target.exists():
                continue
            scratch = target.with_name(f".{target.name}.{threading.get_ident()}")
            shutil.rmtree(scratch, ignore_errors=True)
            (scratch / "fs").mkdir(parents=True, mode=0o755)
            try:
                with open_layer(self.blob_path(layer.digest)) as source:
                    found = unpack_layer(source, scratch / "fs")
                if found != diff_id:
                    raise BadImage(f"layer {layer.digest} unpacks to {found}, its config says {diff_id}")
                sync_filesystem(scratch)
                try:
                    scratch.rename(target)
                except OSError:  # another pull of the same layer was faster
                    if not target.exists():
                        raise
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def remove(self, name: str, layers_in_use: Iterable[str] = ()) -> bool:
        """By id or any of its references; False if there is no such image."""
        with self._lock:
            image = self.find(name)
            if image is None:
                return False
            self._save({key: other for key, other in self._images.items() if key != image.id})
            if not self._busy:
                self._sweep(set(layers_in_use))
            return True

    def _sweep(self, layers_in_use: set[str]) -> None:
        blobs: set[str] = set()
        layers = {Path(path).parent.name for path in layers_in_use}
        for image in self._images.values():
            manifest = parse_manifest(self.read_blob(image.manifest))
            blobs |= {image.manifest, image.id, *(layer.digest for layer in manifest.layers)}
            layers |= {self._layer(chain).name for chain in image.config.chain_ids}
        for file in self._blobs.iterdir():
            if f"sha256:{file.name}" not in blobs:
                file.unlink(missing_ok=True)
        for folder in self._layers.iterdir():
            if folder.name not in layers:
                shutil.rmtree(folder, ignore_errors=True)

    def used(self) -> tuple[int, int]:
        """Bytes and inodes that the store holds on its disk; reads the whole tree, so not for the event loop."""
        return disk_usage(self.root)


def disk_usage(root: Path) -> tuple[int, int]:
    total, inodes = 0, 0
    seen: set[int] = set()
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            try:
                found = os.lstat(os.path.join(folder, name))
            except FileNotFoundError:
                continue
            if found.st_nlink > 1 and found.st_ino in seen:
                continue
            seen.add(found.st_ino)
            total += found.st_blocks * 512
            inodes += 1
    return total, inodes


def open_layer(path: Path) -> IO[bytes]:
    """The tar inside, whatever the media type says: its first bytes are what counts."""
    if not path.exists():
        raise BadImage(f"layer sha256:{path.name} is missing")
    file = path.open("rb")
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP):
        return cast(IO[bytes], _Gunzip(file))
    if magic == _ZSTD:
        file.close()
        raise BadImage("layer is compressed with zstd, which this version cannot read; use gzip")
    return file


class _Gunzip(gzip.GzipFile):
    """A gzip stream whose damage is reported as the image's fault, and which closes its file."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._raw = file

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(size)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise BadImage(f"damaged layer: {error}") from error

    def close(self) -> None:
        super().close()
        self._raw.close()
