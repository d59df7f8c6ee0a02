"""The content of volumes made of API data: configMap, secret, downwardAPI, and projected, which joins them and the
tokens of the pod's service account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan_agent.atomic import File
from sampan_agent.env import NodeFacts, field_value, resource_value
from sampan_agent.errors import ObjectUnavailable, VolumeError
from sampan_agent.objects import ObjectReader, decoded
from sampan_agent.podspec import Pod
from sampan_agent.tokens import TokenReader, Wanted

DEFAULT_MODE = 0o644
KINDS = ("configMap", "secret", "downwardAPI", "projected")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where content comes from."""

    pod: Pod
    read: ObjectReader
    token: TokenReader
    node: NodeFacts


async def volume_payload(volume: Mapping[str, Any], sources: Sources) -> dict[str, File]:
    """Raises VolumeError, ObjectUnavailable."""
    if (projected := volume.get("projected")) is None:
        source = next(volume[kind] for kind in KINDS if volume.get(kind) is not None)
        return await _single(volume, source.get("defaultMode"), sources)
    payload: dict[str, File] = {}
    for part in projected.get("sources") or []:
        payload.update(await _single(part, projected.get("defaultMode"), sources))
    return payload


async def _single(volume: Mapping[str, Any], mode: int | None, sources: Sources) -> dict[str, File]:
    mode = DEFAULT_MODE if mode is None else mode
    if (source := volume.get("configMap")) is not None:
        return await _object("ConfigMap", source.get("name", ""), source, mode, sources)
    if (source := volume.get("secret")) is not None:
        name = source.get("secretName") or source.get("name", "")
        return await _object("Secret", name, source, mode, sources)
    if (source := volume.get("downwardAPI")) is not None:
        return _downward(source, mode, sources)
    if (source := volume.get("serviceAccountToken")) is not None:
        return await _token(source, mode, sources)
    raise VolumeError(f"volume source {', '.join(k for k in volume if k != 'name')} is not supported")


async def _object(kind: str, name: str, source: Mapping[str, Any], mode: int, sources: Sources) -> dict[str, File]:
    try:
        obj = await sources.read(kind, sources.pod.namespace, name)
    except ObjectUnavailable as e:
        if e.missing and source.get("optional"):
            return {}
        raise
    data = decoded(obj)
    items = source.get("items")
    if not items:
        return {key: File(value, mode) for key, value in data.items()}
    payload = {}
    for item in items:
        if (value := data.get(item["key"])) is not None:
            item_mode = item.get("mode")
            payload[item["path"]] = File(value, mode if item_mode is None else item_mode)
        elif not source.get("optional"):
            raise VolumeError(f"references non-existent {kind.lower()} key: {item['key']}")
    return payload


def _downward(source: Mapping[str, Any], mode: int, sources: Sources) -> dict[str, File]:
    payload = {}
    for item in source.get("items") or []:
        if ref := item.get("fieldRef"):
            text = field_value(sources.pod, ref["fieldPath"], (), sources.node)
        else:
            ref = item["resourceFieldRef"]
            container = sources.pod.container(ref.get("containerName", ""))
            if container is None:
                raise VolumeError(f"container {ref.get('containerName')!r} is not in the pod")
            text = resource_value(sources.pod, container, ref, sources.node)
        item_mode = item.get("mode")
        payload[item["path"]] = File(text.encode(), mode if item_mode is None else item_mode)
    return payload


async def _token(source: Mapping[str, Any], mode: int, sources: Sources) -> dict[str, File]:
    """Only who runs in the pod shall read it, where it is known who that is."""
    pod = sources.pod
    wanted = Wanted(pod.uid, source.get("audience", ""), source["expirationSeconds"])
    token = await sources.token(wanted)
    user = _only_user(pod)
    if user is not None or (pod.spec.get("securityContext") or {}).get("fsGroup") is not None:
        mode = 0o600
    return {source["path"]: File(token.value.encode(), mode, user)}


def _only_user(pod: Pod) -> int | None:
    """The one user that all containers are told to run as."""
    whole = (pod.spec.get("securityContext") or {}).get("runAsUser")
    containers = [*(pod.spec.get("initContainers") or []), *pod.spec["containers"]]
    users = {(container.get("securityContext") or {}).get("runAsUser", whole) for container in containers}
    return users.pop() if len(users) == 1 else None
