"""What runs behind a stream connection, whatever protocol it speaks.

`Streams` is the seam: WebSocket channels and SPDY streams both turn into these few events and writes. A process
whose client has gone is killed: nobody could see its output or end it.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from sampan_runtime.errors import RuntimeFailure
from sampan_runtime.shim.client import Exec, Shim
from sampan_runtime.spec import ExecSpec
from sampan_runtime.streaming import fdio

STDOUT, STDERR = 1, 2
_DRAIN_SECONDS = 1.0
"""Of silence after the process has ended: a grandchild may hold its stdout for ever."""


@dataclass(frozen=True, slots=True)
class Input:
    data: bytes


@dataclass(frozen=True, slots=True)
class InputClosed:
    pass


@dataclass(frozen=True, slots=True)
class Resize:
    width: int
    height: int


Event = Input | InputClosed | Resize


class Streams(Protocol):
    def events(self) -> AsyncIterator[Event]:
        """Ends when the client is gone."""

    async def write(self, stream: int, data: bytes) -> None: ...

    async def finish(self, status: dict[str, Any]) -> None:
        """The Status that ends the session; closes the connection."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    container_id: str
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool
    exec: ExecSpec | None = None
    """None is attach."""


def success() -> dict[str, Any]:
    return {"metadata": {}, "status": "Success"}


def exited(code: int) -> dict[str, Any]:
    if code == 0:
        return success()
    text = "command terminated with non-zero exit code: command terminated with exit code"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"{text} {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failed(message: str) -> dict[str, Any]:
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }


async def serve(shim: Shim, request: StreamRequest, streams: Streams) -> None:
    run = _exec if request.exec is not None else _attach
    try:
        status = await run(shim, request, streams)
    except RuntimeFailure as error:
        status = failed(_explain(request, str(error)))
    except ConnectionError:
        return
    if status is not None:
        await streams.finish(status)


def _explain(request: StreamRequest, message: str) -> str:
    if request.exec is None:
        return f"error attaching to container: {message}"
    return f"error executing command in container: failed to exec in container: {message}"


async def _exec(shim: Shim, request: StreamRequest, streams: Streams) -> dict[str, Any] | None:
    """None when the client has gone."""
    assert request.exec is not None
    if request.exec.tty:
        process = await shim.exec(request.container_id, request.exec)
        os.set_blocking(process.tty, False)
        # Reader and writer close their own descriptor.
        stdin, outputs = os.dup(process.tty), [(STDOUT, process.tty)]
    else:
        process, stdin, outputs = await _start_with_pipes(shim, request)
    work = _Pump(streams, stdin, outputs, lambda width, height: _resize(process, width, height))
    code = await work.run(process.wait())
    if code is None:
        await process.kill(signal.SIGKILL)
        return None
    return exited(code)


async def _resize(process: Exec, width: int, height: int) -> None:
    process.resize(width, height)


async def _start_with_pipes(shim: Shim, request: StreamRequest) -> tuple[Exec, int, list[tuple[int, int]]]:
    assert request.exec is not None
    wanted = {STDOUT: request.stdout, STDERR: request.stderr}
    pipes = {stream: fdio.pipe() for stream, asked in wanted.items() if asked}
    stdin_read, stdin_write = fdio.pipe() if request.stdin else (-1, -1)
    given = [stdin_read, *(pipes[stream][1] if stream in pipes else -1 for stream in (STDOUT, STDERR))]
    kept = [stdin_write, *(ends[0] for ends in pipes.values())]
    try:
        process = await shim.exec(request.container_id, request.exec, *given)
    except BaseException:
        _close(kept)
        raise
    finally:
        _close(given)
    for fd in kept:
        if fd >= 0:
            os.set_blocking(fd, False)
    return process, stdin_write, [(stream, ends[0]) for stream, ends in pipes.items()]


async def _attach(shim: Shim, request: StreamRequest, streams: Streams) -> dict[str, Any] | None:
    """Ends with the container's output, or when the client goes; the container lives on either way."""
    ends = await shim.attach_io(request.container_id)
    outputs = []
    for stream, fd, wanted in ((STDOUT, ends.stdout, request.stdout), (STDERR, ends.stderr, request.stderr)):
        if fd >= 0 and wanted:
            outputs.append((stream, fd))
        elif fd >= 0:
            os.close(fd)
    stdin = ends.stdin if request.stdin else -1
    if stdin < 0 <= ends.stdin:
        os.close(ends.stdin)
    for fd in (stdin, *(fd for _, fd in outputs)):
        if fd >= 0:
            os.set_blocking(fd, False)

    async def resize(width: int, height: int) -> None:
        await shim.resize(request.container_id, width, height)

    done = await _Pump(streams, stdin, outputs, resize).run(None)
    return None if done is None else success()


class _Pump:
    """Owns the descriptors: input from the client to `stdin`, output of each descriptor to its stream."""

    def __init__(
        self,
        streams: Streams,
        stdin: int,
        outputs: list[tuple[int, int]],
        resize: Callable[[int, int], Awaitable[None]],
    ) -> None:
        self._streams = streams
        self._stdin = stdin
        self._outputs = outputs
        self._resize = resize
        self._written = 0
        self._writing = 0

    async def run(self, ended: Coroutine[Any, Any, int] | None) -> int | None:
        """What `ended` returns (without one: 0 when all output has ended); None when the client went first."""
        incoming = asyncio.ensure_future(self._input())
        outgoing = asyncio.gather(*(self._output(stream, fd) for stream, fd in self._outputs))
        finished = asyncio.ensure_future(_result(ended, outgoing))
        try:
            await asyncio.wait((incoming, finished), return_when=asyncio.FIRST_COMPLETED)
            if not finished.done():
                return None
            await self._drain(outgoing)
            return finished.result()
        finally:
            for task in (incoming, outgoing, finished):
                task.cancel()
            await asyncio.gather(incoming, outgoing, finished, return_exceptions=True)
            _close([self._stdin, *(fd for _, fd in self._outputs)])

    async def _drain(self, outgoing: asyncio.Future[Any]) -> None:
        """A client that is slow to take what the process has left in its pipes gets all of it."""
        while not outgoing.done():
            written = self._written
            await asyncio.wait((outgoing,), timeout=_DRAIN_SECONDS)
            if not self._writing and written == self._written and not _readable([fd for _, fd in self._outputs]):
                return

    async def _output(self, stream: int, fd: int) -> None:
        while data := await fdio.read(fd):
            self._writing += 1
            await self._streams.write(stream, data)
            self._writing -= 1
            self._written += len(data)

    async def _input(self) -> None:
        async for event in self._streams.events():
            if isinstance(event, Resize):
                await self._resize(event.width, event.height)
            elif isinstance(event, Input):
                if self._stdin >= 0 and not await fdio.write(self._stdin, event.data):
                    self._close_stdin()
            else:
                self._close_stdin()

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1


async def _result(ended: Coroutine[Any, Any, int] | None, outgoing: asyncio.Future[Any]) -> int:
    if ended is not None:
        return await ended
    await asyncio.shield(outgoing)
    return 0


def _readable(fds: list[int]) -> bool:
    """Whether there is anything to be read, be it the end."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def _close(fds: list[int]) -> None:
    for fd in fds:
        if fd >= 0:
            os.close(fd)
