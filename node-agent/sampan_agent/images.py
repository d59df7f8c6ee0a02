"""Having a container's image at hand, as its pull policy asks."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from cri_api.v1 import api_pb2 as cri

from sampan_agent.cri import Cri
from sampan_agent.errors import CriError, ImageError, ObjectUnavailable, RuntimeDown
from sampan_agent.objects import ObjectReader, decoded
from sampan_agent.podspec import Container, Pod

Emit = Callable[[str, str, str], None]
"""(event type, reason, message)"""


def pull_policy(container: Container) -> str:
    if policy := container.raw.get("imagePullPolicy"):
        return str(policy)
    last = container.image.rsplit("/", 1)[-1]
    return "Always" if ":" not in last or last.endswith(":latest") else "IfNotPresent"


async def ensure_image(
    cri_door: Cri, pod: Pod, container: Container, read: ObjectReader, sandbox_config: Any, emit: Emit
) -> Any:
    """The CRI Image. Raises ImageError with the container's waiting reason."""
    policy, reference = pull_policy(container), container.image
    try:
        image = await cri_door.image(reference)
    except RuntimeDown:
        raise
    except CriError as e:
        raise ImageError("InvalidImageName", f'Failed to apply default image tag "{reference}": {e}') from e
    if image is not None and policy != "Always":
        message = f'Container image "{reference}" already present on machine and can be accessed by the pod'
        emit("Normal", "Pulled", message)
        return image
    if policy == "Never":
        message = f'Container image "{reference}" is not present with pull policy of Never'
        emit("Warning", "ErrImageNeverPull", message)
        raise ImageError("ErrImageNeverPull", message)
    emit("Normal", "Pulling", f'Pulling image "{reference}"')
    await _pull(cri_door, pod, reference, read, sandbox_config, emit)
    image = await cri_door.image(reference)
    if image is None:
        raise ImageError("ErrImagePull", f'image "{reference}" is not there after it was pulled')
    emit("Normal", "Pulled", f'Successfully pulled image "{reference}". Image size: {image.size} bytes.')
    return image


async def _pull(cri_door: Cri, pod: Pod, reference: str, read: ObjectReader, sandbox_config: Any, emit: Emit) -> None:
    failure: CriError | None = None
    for auth in [*await _credentials(pod, reference, read), None]:
        try:
            await cri_door.pull(reference, auth, sandbox_config)
            return
        except RuntimeDown:
            raise
        except CriError as e:
            failure = e
    assert failure is not None
    message = f'Failed to pull image "{reference}": {failure.message}'
    emit("Warning", "Failed", message)
    emit("Warning", "Failed", "Error: ErrImagePull")
    raise ImageError("ErrImagePull", failure.message)


async def _credentials(pod: Pod, reference: str, read: ObjectReader) -> list[Any]:
    """Those of the pod's imagePullSecrets that are for the image's registry."""
    found = []
    for secret in pod.spec.get("imagePullSecrets") or []:
        try:
            data = decoded(await read("Secret", pod.namespace, secret["name"]))
        except ObjectUnavailable:
            continue
        text = data.get(".dockerconfigjson") or data.get(".dockercfg") or b"{}"
        try:
            config = json.loads(text)
        except ValueError:
            continue
        for registry, entry in (config.get("auths") or config).items():
            if _registry(registry) == _registry(reference):
                found.append(_auth(registry, entry))
    return found


def _registry(reference: str) -> str:
    host = reference.removeprefix("https://").removeprefix("http://").split("/")[0]
    local = "." in host or ":" in host or host == "localhost"
    if not local or "/" not in reference.removeprefix("https://"):
        host = host if local else "docker.io"
    return "docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host


def _auth(registry: str, entry: dict[str, str]) -> Any:
    username, password = entry.get("username", ""), entry.get("password", "")
    if not username and entry.get("auth"):
        username, _, password = base64.b64decode(entry["auth"]).decode(errors="replace").partition(":")
    return cri.AuthConfig(
        username=username,
        password=password,
        server_address=registry,
        identity_token=entry.get("identitytoken", ""),
    )
