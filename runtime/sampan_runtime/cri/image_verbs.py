"""ImageService: ListImages, ImageStatus, PullImage, RemoveImage, ImageFsInfo. Disk and network wait in threads."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from sampan_runtime.cri import messages
from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.errors import FailedPrecondition, InvalidArgument
from sampan_runtime.images import reference, registry
from sampan_runtime.images.builtin import is_built_in
from sampan_runtime.images.store import StoredImage, disk_usage


async def list_images(daemon: Daemon, request: cri.ListImagesRequest) -> cri.ListImagesResponse:
    await daemon.take_in_images()
    wanted = request.filter.image.image
    if wanted:
        found = daemon.images.find(wanted)
        images = [found] if found else []
    else:
        images = daemon.images.images()
    return cri.ListImagesResponse(images=map(messages.image_item, images))


async def image_status(daemon: Daemon, request: cri.ImageStatusRequest) -> cri.ImageStatusResponse:
    """An image that is not there is no error but an empty answer: that is CRI's word for it."""
    await daemon.take_in_images()
    image = daemon.images.find(_named(request.image))
    if image is None:
        return cri.ImageStatusResponse()
    response = cri.ImageStatusResponse(image=messages.image_item(image))
    if request.verbose:
        response.info["info"] = json.dumps(_info(daemon, image))
    return response


def _info(daemon: Daemon, image: StoredImage) -> dict[str, object]:
    spec = json.loads(daemon.images.read_blob(image.id))
    return {"chainID": (image.config.chain_ids or ("",))[-1], "imageSpec": spec}


async def pull_image(daemon: Daemon, request: cri.PullImageRequest) -> cri.PullImageResponse:
    name = _named(request.image)
    await daemon.take_in_images()
    built_in = is_built_in(daemon.images, name)
    if built_in is not None:
        return cri.PullImageResponse(image_ref=built_in.id)
    auth = request.auth
    credentials = registry.Credentials(
        username=auth.username,
        password=auth.password,
        encoded=auth.auth,
        identity_token=auth.identity_token,
        registry_token=auth.registry_token,
    )
    timeout = daemon.settings.pull_timeout_seconds
    image = await asyncio.to_thread(registry.pull, daemon.images, reference.parse(name), credentials, timeout)
    return cri.PullImageResponse(image_ref=image.id)


async def remove_image(daemon: Daemon, request: cri.RemoveImageRequest) -> cri.RemoveImageResponse:
    """Idempotent. Layers that containers stand on stay until a later sweep; the built-in image stays always."""
    name = _named(request.image)
    if is_built_in(daemon.images, name) is not None:
        raise FailedPrecondition(f"image {name} is built in")
    in_use = [layer for container in daemon.records.containers.values() for layer in container.layers]
    await asyncio.to_thread(daemon.images.remove, name, in_use)
    return cri.RemoveImageResponse()


async def image_fs_info(daemon: Daemon, request: cri.ImageFsInfoRequest) -> cri.ImageFsInfoResponse:
    containers = daemon.settings.state_dir / "containers"
    images, writable = await asyncio.gather(
        asyncio.to_thread(_usage, daemon.images.root), asyncio.to_thread(_usage, containers)
    )
    return cri.ImageFsInfoResponse(image_filesystems=[images], container_filesystems=[writable])


def _usage(folder: Path) -> cri.FilesystemUsage:
    used, inodes = disk_usage(folder)
    return cri.FilesystemUsage(
        timestamp=time.time_ns(),
        fs_id=cri.FilesystemIdentifier(mountpoint=str(folder)),
        used_bytes=cri.UInt64Value(value=used),
        inodes_used=cri.UInt64Value(value=inodes),
    )


def _named(spec: cri.ImageSpec) -> str:
    name: str = spec.image
    if not name:
        raise InvalidArgument("image name is required")
    return name
