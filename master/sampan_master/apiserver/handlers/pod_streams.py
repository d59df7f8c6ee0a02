"""pods/log, exec, attach and portforward: the master checks, then only carries bytes.

Pod, container and permission are checked here, where the error can still be a Status. Then the client's request
head goes down to the node, which replays it at the runtime's streaming server; whatever comes back, the response head
first, is relayed as it is on the connection that HTTP has let go of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from sampan_api.clock import parse_time
from sampan_api.containers import all_containers
from sampan_api.errors import ApiError, BadRequest, InternalError
from sampan_api.meta import Object

from sampan_master.apiserver.auth import authorization
from sampan_master.apiserver.encoding.options import Query, first, flag, integer
from sampan_master.apiserver.handlers.node_streams import ByteStream, NodeStreams, StreamRequest
from sampan_master.apiserver.handlers.routing import Target
from sampan_master.apiserver.http.raw_connection import RawConnection
from sampan_master.apiserver.http.requests import ApiRequest
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.validation.fields import FieldError, forbidden, go_quote, invalid, invalid_object

log = logging.getLogger(__name__)
_UPGRADES = ("exec", "attach", "portforward")
_SECRET_HEADERS = frozenset({b"authorization", b"cookie"})
_FIRST_WORD_SECONDS = 0.5
"""How long the answer of a log waits for the node's first word, which may be an error that deserves a Status."""
_SIMULATED = "sampan-sim://"
"""The runtime that nodes of `sampan sim` name."""
_CHANNELS = ("stdin", "stdout", "stderr", "tty")


class PodStreams:
    def __init__(self, registry: Registry, streams: Callable[[], NodeStreams]) -> None:
        self._registry = registry
        self._streams = streams
        self._open_streams: set[ByteStream] = set()

    async def close(self) -> None:
        """Ends everything that is being carried."""
        for stream in list(self._open_streams):
            await stream.close("the API server is stopping")

    def serves(self, subresource: str) -> bool:
        return subresource == "log" or subresource in _UPGRADES

    async def serve(self, request: ApiRequest, target: Target) -> None:
        assert target.subresource is not None
        kind = target.subresource.name
        if kind == "log":
            await self._log(request, target)
            return
        # What a WebSocket asks with GET changes the pod's world as much as a POST does: `create` is what it takes.
        attributes = authorization.Attributes("create", "", "", "pods", kind, target.namespace or "", target.name)
        authorization.authorise(request.user, attributes)
        await self._upgrade(request, target, kind)

    async def _log(self, request: ApiRequest, target: Target) -> None:
        parameters = _log_parameters(request.query, target.name)
        pod = (await self._registry.get(target.type, target.namespace or "", target.name)).obj
        container = _container(pod, first(request.query, "container"))
        if not pod["spec"].get("nodeName"):
            # Nothing was ever written, and it is not an error to look.
            await request.answer(b"", content_type="text/plain")
            return
        _check_log(pod, container, previous=bool(parameters.get("previous")))
        stream = await self._open("logs", pod, container, parameters, b"")
        request.protocol.patient = True
        await request.body()
        gone = asyncio.ensure_future(request.disconnected())
        beginning = asyncio.ensure_future(stream.recv())
        sending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait([gone, beginning], timeout=_FIRST_WORD_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if beginning.done():
                beginning.result()
            sending = asyncio.ensure_future(_send_log(request, stream, beginning))
            await asyncio.wait([gone, sending], return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                await sending
        finally:
            for task in (gone, beginning, sending):
                task.cancel()
            await asyncio.gather(gone, beginning, sending, return_exceptions=True)
            self._open_streams.discard(stream)
            await stream.close()

    async def _open(
        self, kind: str, pod: Object, container: str, parameters: dict[str, Any], head: bytes
    ) -> ByteStream:
        metadata = pod["metadata"]
        self._refuse_simulated(pod, kind)
        request = StreamRequest(
            kind, metadata["namespace"], metadata["name"], metadata["uid"], container, parameters, head
        )
        stream = await self._streams().open(pod["spec"]["nodeName"], request)
        self._open_streams.add(stream)
        return stream

    def _refuse_simulated(self, pod: Object, kind: str) -> None:
        """Raises BadRequest when the pod is on a node of `sampan sim`, where nothing runs."""
        name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
        entry = self._registry.storage.cache.get(f"/registry/nodes/{node}")
        info = ((entry.obj.get("status") or {}).get("nodeInfo") or {}) if entry is not None else {}
        if str(info.get("containerRuntimeVersion", "")).startswith(_SIMULATED):
            what = "there is no log" if kind == "logs" else f"nothing runs that {kind} could reach"
            raise BadRequest(f'pod {name} is simulated (node "{node}" is one of sampan sim): {what}')

    async def _upgrade(self, request: ApiRequest, target: Target, kind: str) -> None:
        protocol = request.protocol
        pod = (await self._registry.get(target.type, target.namespace or "", target.name)).obj
        container = "" if kind == "portforward" else _container(pod, first(request.query, "container"))
        if not protocol.wants_upgrade:
            raise BadRequest("Upgrade request required")
        if not pod["spec"].get("nodeName"):
            raise BadRequest(f"pod {target.name} does not have a host assigned")
        if kind != "portforward":
            _check_running(pod, container)
        parameters = _stream_parameters(request.query, kind)
        stream = await self._open(kind, pod, container, parameters, _head(request))
        try:
            await relay(protocol.take_over(), stream)
        finally:
            self._open_streams.discard(stream)


def _head(request: ApiRequest) -> bytes:
    """The request line and headers as they came, without the credentials."""
    scope = request.scope
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    lines = [scope["method"].encode() + b" " + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in scope["headers"] if name not in _SECRET_HEADERS]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def relay(connection: RawConnection, stream: ByteStream) -> None:
    """Carries bytes both ways until the node's side ends; the client's end is told to the node."""

    async def upward() -> None:
        while data := await connection.recv():
            await stream.send(data)
        await stream.send_eof()

    async def downward() -> None:
        while data := await stream.recv():
            await connection.send(data)

    up, down = asyncio.ensure_future(upward()), asyncio.ensure_future(downward())
    error = ""
    try:
        await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
        if not down.done():
            # The client is gone, and nobody is left to read the rest.
            error = "the client has closed the connection"
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        await stream.close(error)
        connection.close()


async def _send_log(request: ApiRequest, stream: ByteStream, beginning: asyncio.Future[bytes]) -> None:
    """The answer has begun, so an error can only be told by breaking it off."""
    try:
        await request.stream(_received(stream, beginning), content_type="text/plain")
    except ApiError as error:
        log.info("the log of %s broke off: %s", request.path, error.message)
        request.abort()


async def _received(stream: ByteStream, beginning: asyncio.Future[bytes]) -> AsyncIterator[bytes]:
    if not beginning.done():
        yield b""
    data = await beginning
    while data:
        yield data
        data = await stream.recv()


def _container(pod: Object, asked: str) -> str:
    """The container meant. Raises BadRequest as kubelet's door does."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    names = [container["name"] for container in all_containers(spec)]
    if asked:
        if asked not in names:
            raise BadRequest(f"container {asked} is not valid for pod {name}")
        return asked
    if len(spec["containers"]) == 1:
        return str(spec["containers"][0]["name"])
    choices = " ".join(names)
    raise BadRequest(f"a container name must be specified for pod {name}, choose one of: [{choices}]")


def _container_status(pod: Object, container: str) -> dict[str, Any] | None:
    status = pod.get("status") or {}
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for found in status.get(field) or []:
            if found.get("name") == container:
                return dict(found)
    return None


_WAITING_TEXTS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


def _check_log(pod: Object, container: str, *, previous: bool) -> None:
    """Raises BadRequest when the asked log cannot exist yet."""
    name = pod["metadata"]["name"]
    status = _container_status(pod, container)
    if status is None:
        if previous:
            raise BadRequest(f'previous terminated container "{container}" in pod "{name}" not found')
        said = f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating'
        raise BadRequest(said)
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    if previous:
        if last is None:
            raise BadRequest(f'previous terminated container "{container}" in pod "{name}" not found')
        return
    waiting = state.get("waiting")
    if waiting is not None and last is None:
        reason = waiting.get("reason", "")
        said = _WAITING_TEXTS.get(reason, reason or "ContainerCreating")
        raise BadRequest(f'container "{container}" in pod "{name}" is waiting to start: {said}')


def _check_running(pod: Object, container: str) -> None:
    status = _container_status(pod, container)
    if status is None or (status.get("state") or {}).get("running") is None:
        raise InternalError(f"container not found ({go_quote(container)})")


def _log_parameters(query: Query, pod: str) -> dict[str, Any]:
    """PodLogOptions of the query. Raises BadRequest, Invalid."""
    parameters: dict[str, Any] = {field: True for field in ("follow", "previous", "timestamps") if flag(query, field)}
    for field in ("tailLines", "sinceSeconds", "limitBytes"):
        number = integer(query, field)
        if number is not None:
            parameters[field] = number
    since = first(query, "sinceTime")
    if since:
        try:
            parse_time(since)
        except ValueError:
            shown = go_quote(since)
            layout = "2006-01-02T15:04:05Z07:00"
            raise BadRequest(f'parsing time {shown} as "{layout}": cannot parse {shown} as "2006"') from None
        parameters["sinceTime"] = since
    errors = _log_errors(parameters)
    if errors:
        raise invalid_object("PodLogOptions", "", pod, errors)
    return parameters


def _log_errors(parameters: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    tail, since, limit = (parameters.get(field) for field in ("tailLines", "sinceSeconds", "limitBytes"))
    if tail is not None and tail < 0:
        errors.append(invalid("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        errors.append(invalid("limitBytes", limit, "must be greater than 0"))
    if since is not None and "sinceTime" in parameters:
        errors.append(forbidden("[]", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif since is not None and since < 1:
        errors.append(invalid("sinceSeconds", since, "must be greater than 0"))
    return errors


def _stream_parameters(query: Query, kind: str) -> dict[str, Any]:
    if kind == "portforward":
        ports = [text for value in query.get("ports") or [] for text in value.split(",") if text]
        try:
            return {"ports": [int(text) for text in ports]}
        except ValueError as error:
            raise BadRequest(f"unable to parse ports: {error}") from error
    parameters: dict[str, Any] = {field: flag(query, field) for field in _CHANNELS}
    if kind == "exec":
        parameters["command"] = query.get("command") or []
    return parameters
