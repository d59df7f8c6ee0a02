"""A pod's volumes on the node: made before its containers, refreshed while it runs, taken away with it.

Everything of a pod lies below its own directory: `volumes/<name>` and `subpaths/<container>/<n>`. Secrets, tokens
and `medium: Memory` are tmpfs. A sub-path is pinned by a bind mount of what was opened inside the volume, so that no
container can turn it into something else between the check and the mount.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan_api import quantity

from sampan_agent import atomic
from sampan_agent.errors import AgentError, ObjectUnavailable, VolumeError
from sampan_agent.mountcalls import (
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_REC,
    mount,
    mounted_below,
    unmount,
)
from sampan_agent.payload import KINDS, Sources, volume_payload
from sampan_agent.podspec import Pod
from sampan_agent.safepath import make_beneath, open_beneath, opened

_SECRET_BYTES = 64 * 1024 * 1024


def has_payload(pod: Pod) -> bool:
    return any(_payload_kind(v) for v in pod.spec.get("volumes") or [])


def _payload_kind(volume: Mapping[str, Any]) -> str:
    return next((kind for kind in KINDS if volume.get(kind) is not None), "")


async def prepare(pod: Pod, directory: Path, sources: Sources) -> dict[str, str]:
    """Volume name -> path on the node; idempotent, and refreshes content. Raises VolumeError, ObjectUnavailable."""
    paths = {}
    for volume in pod.spec.get("volumes") or []:
        name = volume["name"]
        try:
            paths[name] = await _prepare_one(pod, volume, directory / "volumes" / name, sources)
        except OSError as e:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {e}') from e
        except AgentError as e:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {e}') from e
    return paths


async def _prepare_one(pod: Pod, volume: Mapping[str, Any], path: Path, sources: Sources) -> str:
    group = (pod.spec.get("securityContext") or {}).get("fsGroup")
    if (empty := volume.get("emptyDir")) is not None:
        _empty_dir(empty, path, group)
        return str(path)
    if (host := volume.get("hostPath")) is not None:
        return _host_path(host["path"], host.get("type") or "")
    if not _payload_kind(volume):
        kinds = ", ".join(k for k in volume if k != "name") or "none"
        raise VolumeError(f"volume source {kinds} is not supported by this node")
    try:
        payload = await volume_payload(volume, sources)
    except ObjectUnavailable as e:
        # The master is away: what the volume has from before is better than no container.
        if e.missing or not atomic.has_payload(path):
            raise
        return str(path)
    _make_payload_root(path, secret=_is_secret(volume))
    atomic.write_payload(path, payload, group)
    return str(path)


def _make_payload_root(path: Path, *, secret: bool) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if secret and os.geteuid() == 0 and not os.path.ismount(path):
        mount("tmpfs", str(path), "tmpfs", MS_NOSUID | MS_NODEV, f"size={_SECRET_BYTES},mode=0755")


def _is_secret(volume: Mapping[str, Any]) -> bool:
    parts = [volume, *((volume.get("projected") or {}).get("sources") or [])]
    return any(part.get(kind) is not None for part in parts for kind in ("secret", "serviceAccountToken"))


def _empty_dir(source: Mapping[str, Any], path: Path, group: int | None) -> None:
    made = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    if source.get("medium") == "Memory" and not os.path.ismount(path):
        size = quantity.value(source.get("sizeLimit") or 0)
        data = "mode=0777" + (f",size={size}" if size else "")
        mount("tmpfs", str(path), "tmpfs", MS_NOSUID | MS_NODEV, data)
        made = True
    if made:
        os.chmod(path, 0o777)
        if group is not None:
            os.chown(path, -1, group)
            os.chmod(path, 0o2777)


_FILE_TYPES = {
    "Directory": (stat.S_ISDIR, "is not a directory"),
    "File": (stat.S_ISREG, "is not a file"),
    "Socket": (stat.S_ISSOCK, "is not a socket"),
    "CharDevice": (stat.S_ISCHR, "is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "is not a block device"),
}


def _host_path(path: str, type_: str) -> str:
    if type_ in ("", "DirectoryOrCreate"):
        # Docker makes what is not there; so does the runtime of a real node when the type is unset.
        if not os.path.exists(path):
            os.makedirs(path, 0o755, exist_ok=True)
        if type_ == "":
            return path
    if type_ == "FileOrCreate" and not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    check, complaint = _FILE_TYPES[type_.removesuffix("OrCreate")]
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as e:
        raise VolumeError(f"hostPath type check failed: {path} does not exist") from e
    if not check(mode):
        raise VolumeError(f"hostPath type check failed: {path} {complaint}")
    return path


def pin_sub_path(volume: str, sub_path: str, pinned: Path, *, read_only: bool) -> str:
    """A path on the node that is `sub_path` in `volume` for as long as the pod lives. Raises UnsafePath, OSError."""
    if os.path.isfile(volume):
        raise VolumeError(f"{volume} is a file: it has no sub-path {sub_path!r}")
    if not read_only:
        make_beneath(volume, sub_path, 0o755 if os.stat(volume).st_mode & 0o002 == 0 else 0o777)
    with opened(volume) as root:
        found = open_beneath(root, sub_path, os.O_PATH)
    try:
        is_directory = stat.S_ISDIR(os.fstat(found).st_mode)
        unmount(str(pinned))
        pinned.parent.mkdir(parents=True, exist_ok=True)
        if is_directory:
            pinned.mkdir(exist_ok=True)
        else:
            pinned.touch()
        mount(f"/proc/self/fd/{found}", str(pinned), "", MS_BIND | MS_REC)
    finally:
        os.close(found)
    return str(pinned)


def remove(directory: Path) -> None:
    """Unmounts and deletes all that lies below a pod's directory; hostPath volumes are not below it. Raises OSError."""
    for point in mounted_below(str(directory)):
        unmount(point)
    if left := mounted_below(str(directory)):
        raise VolumeError(f"still mounted: {', '.join(left)}")
    if directory.exists():
        shutil.rmtree(directory)
