"""The built-in image: busybox made from this machine's static busybox, so that pods run without any registry.

It is made reproducibly (times 0, members sorted, no compression): nodes with the same Debian package agree on its
digest. It is marked built in: never collected, and a pull of its references is answered here.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from sampan_runtime.images.archive import describe
from sampan_runtime.images.config import CONFIG, LAYER, MANIFEST, architecture, digest_of
from sampan_runtime.images.reference import parse
from sampan_runtime.images.store import ImageStore, StoredImage
from sampan_runtime.statefiles import read_json, write_json

BUSYBOX = Path("/bin/busybox")
REFERENCES = ("docker.io/library/busybox:1.35", "docker.io/library/busybox:latest")

_DIRECTORIES = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "sys": 0o555,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "var": 0o755,
    "var/spool": 0o755,
    "var/www": 0o755,
}
_FILES = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
        "www-data:x:33:33:www-data:/var/www:/bin/false\n"
        "nobody:x:65534:65534:nobody:/home:/bin/false\n"
    ),
    "etc/group": "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def ensure_busybox(store: ImageStore, busybox: Path = BUSYBOX) -> StoredImage | None:
    """None on a machine without busybox; made again only when the machine's busybox has changed."""
    try:
        found = busybox.stat()
    except FileNotFoundError:
        return None
    stamp = {"mtime": found.st_mtime_ns, "size": found.st_size, "inode": found.st_ino}
    record = store.root / "builtin.json"
    image = store.find(REFERENCES[0])
    if image is not None and read_json(record) == stamp:
        return image
    image = _build(store, busybox)
    write_json(record, stamp)
    return image


def is_built_in(store: ImageStore, name: str) -> StoredImage | None:
    image = store.find(name)
    return image if image is not None and image.built_in else None


def _build(store: ImageStore, busybox: Path) -> StoredImage:
    layer = _layer(busybox)
    config = json.dumps(
        {
            "created": "1970-01-01T00:00:00Z",
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": ["sh"],
            },
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        },
        separators=(",", ":"),
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe(store.put_bytes(config), len(config), CONFIG),
            "layers": [describe(store.put_bytes(layer), len(layer), LAYER)],
        },
        separators=(",", ":"),
    ).encode()
    return store.add(store.put_bytes(manifest), map(parse, REFERENCES), built_in=True)


def _layer(busybox: Path) -> bytes:
    result = subprocess.run([os.fspath(busybox), "--list"], capture_output=True, check=True, text=True)
    applets = sorted({name for name in result.stdout.split() if name != "busybox" and "/" not in name})
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, mode in sorted(_DIRECTORIES.items()):
            archive.addfile(_member(path, tarfile.DIRTYPE, mode))
        for path, text in sorted(_FILES.items()):
            archive.addfile(_member(path, tarfile.REGTYPE, 0o644, len(text)), io.BytesIO(text.encode()))
        content = busybox.read_bytes()
        archive.addfile(_member("bin/busybox", tarfile.REGTYPE, 0o755, len(content)), io.BytesIO(content))
        for name in applets:
            archive.addfile(_member(f"bin/{name}", tarfile.LNKTYPE, 0o755, link="bin/busybox"))
        archive.addfile(_member("usr/bin/env", tarfile.SYMTYPE, 0o777, link="../../bin/env"))
    return output.getvalue()


def _member(path: str, kind: bytes, mode: int, size: int = 0, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname = kind, mode, size, link
    return member
