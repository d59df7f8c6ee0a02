"""The daemon's side: start a zygote, ask it for shims, talk to shims, and find them again after a restart.

A sandbox is made in two phases. `create_sandbox` returns a shim that exits by itself when its connection closes;
after the daemon has written its own record it calls `commit`, and from then on the shim outlives the daemon.
A `Shim` is one connection. When `closed` completes the shim is dead or has hung up: kill the pod's cgroup
(`sampan_runtime.cgroups`), and report its containers as exited 255, "ContainerStatusUnknown".
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import dataclasses
import fcntl
import json
import os
import signal as signals
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sampan_runtime.errors import NoSuchContainer, RuntimeFailure, ShimGone, StepFailed, WrongState
from sampan_runtime.shim import wire
from sampan_runtime.spec import ContainerExit, ContainerSpec, ExecSpec, SandboxSpec

SYNC_OUTPUT_LIMIT = 16 << 20
DRAIN_SECONDS = 0.5
PIPE_SIZE = 64 * 1024


@dataclass(frozen=True, slots=True)
class ContainerState:
    """`exit` is None while it is created or running. `pid` is as the node sees it, 0 after the exit."""

    id: str
    state: str
    """"created", "running" or "exited"."""
    pid: int
    created_at: int
    started_at: int
    exit: ContainerExit | None


@dataclass(frozen=True, slots=True)
class ExecResult:
    stdout: bytes
    stderr: bytes
    exit_code: int


@dataclass(frozen=True, slots=True)
class AttachedStreams:
    """Ends of pipes that the caller owns. `stdin` is -1 without spec.stdin, `stderr` -1 with a tty."""

    stdin: int
    stdout: int
    stderr: int


class Channel:
    """Requests and their answers over one SEQPACKET connection, in any order; events go to a queue."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[tuple[wire.Message, list[int]]]] = {}
        self._next = 0
        self._send_lock = asyncio.Lock()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.events: asyncio.Queue[wire.Message | None] = asyncio.Queue()
        self.exec_exits: dict[int, asyncio.Future[int]] = {}
        self._loop.add_reader(sock.fileno(), self._readable)

    async def call(self, op: str, fds: Sequence[int] = (), **fields: Any) -> tuple[wire.Message, list[int]]:
        if self.closed.done():
            raise ShimGone(f"{op}: connection closed")
        self._next += 1
        seq = self._next
        answer: asyncio.Future[tuple[wire.Message, list[int]]] = self._loop.create_future()
        self._waiting[seq] = answer
        try:
            await self._send({"op": op, "seq": seq, **fields}, fds)
            message, received = await answer
        finally:
            self._waiting.pop(seq, None)
        error = message.get("error")
        if error is not None:
            _close_all(received)
            raise _failure(error)
        return message["ok"], received

    async def _send(self, message: wire.Message, fds: Sequence[int]) -> None:
        async with self._send_lock:
            while True:
                try:
                    wire.send(self._sock, message, fds)
                    return
                except BlockingIOError:
                    await self._writable()
                except OSError as error:
                    self.close()
                    raise ShimGone(str(error)) from error

    async def _writable(self) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        fd = self._sock.fileno()
        self._loop.add_writer(fd, _complete, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(fd)

    def _readable(self) -> None:
        try:
            packet = wire.receive(self._sock)
        except BlockingIOError:
            return
        except OSError:
            packet = None
        if packet is None:
            self.close()
            return
        message, fds = packet
        if "seq" not in message:
            _close_all(fds)
            self._event(message)
            return
        answer = self._waiting.get(message["seq"])
        if answer is None or answer.done():
            _close_all(fds)
            return
        answer.set_result((message, fds))

    def _event(self, message: wire.Message) -> None:
        if message.get("event") == "exec_exit":
            waiter = self.exec_exits.setdefault(message["exec"], self._loop.create_future())
            if not waiter.done():
                waiter.set_result(message["exit_code"])
        else:
            self.events.put_nowait(message)

    def close(self) -> None:
        if self.closed.done():
            return
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self.closed.set_result(None)
        self.events.put_nowait(None)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ShimGone("connection closed before the answer"))
        for waiter in self.exec_exits.values():
            if not waiter.done():
                waiter.set_result(255)


class Exec:
    """A process started in a container. With a tty, `tty` is the pty's master, owned by the caller."""

    def __init__(self, channel: Channel, number: int, pid: int, tty: int) -> None:
        self._channel = channel
        self._number = number
        self.pid = pid
        self.tty = tty

    async def wait(self) -> int:
        """The exit code; 128 + signal when it was killed; 255 when the shim died first."""
        exits = self._channel.exec_exits
        waiter = exits.setdefault(self._number, asyncio.get_running_loop().create_future())
        if self._channel.closed.done() and not waiter.done():
            waiter.set_result(255)
        code = await asyncio.shield(waiter)
        exits.pop(self._number, None)
        return code

    def resize(self, width: int, height: int) -> None:
        if self.tty >= 0:
            fcntl.ioctl(self.tty, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def kill(self, signal: int = signals.SIGKILL) -> None:
        await self._channel.call("exec_kill", exec=self._number, signal=int(signal))


class Shim:
    def __init__(self, channel: Channel, hello: wire.Message) -> None:
        self._channel = channel
        self.id: str = hello["id"]
        self.pid: int = hello["pid"]
        self.version: int = hello["version"]
        self.closed = channel.closed
        self.netns_path = f"/proc/{self.pid}/ns/net"

    async def commit(self) -> None:
        """From now on the shim outlives this connection."""
        await self._channel.call("commit")

    async def create_container(self, spec: ContainerSpec) -> int:
        """The init's pid. Everything but the exec has happened, or StepFailed says what did not."""
        ok, _ = await self._channel.call("create", spec=dataclasses.asdict(spec))
        return int(ok["pid"])

    async def start_container(self, id: str) -> int:
        """Returns after the exec itself: StepFailed("exec …", ENOENT) means the image has no such file."""
        ok, _ = await self._channel.call("start", id=id)
        return int(ok["pid"])

    async def kill(self, id: str, signal: int) -> None:
        """To the container's init; SIGKILL to everything in the container's cgroup. An exited one is no error."""
        await self._channel.call("kill", id=id, signal=int(signal))

    async def exec(self, id: str, spec: ExecSpec, stdin_fd: int = -1, stdout_fd: int = -1, stderr_fd: int = -1) -> Exec:
        """The process gets these descriptors themselves (-1: /dev/null); the caller closes its copies.
        With spec.tty they are not used: read and write `Exec.tty`."""
        given = [fd for fd in (stdin_fd, stdout_fd, stderr_fd) if fd >= 0]
        present = [fd >= 0 for fd in (stdin_fd, stdout_fd, stderr_fd)]
        ok, fds = await self._channel.call(
            "exec", [] if spec.tty else given, id=id, spec=dataclasses.asdict(spec), stdio=present
        )
        return Exec(self._channel, ok["exec"], ok["pid"], fds[0] if fds else -1)

    async def exec_sync(self, id: str, spec: ExecSpec, timeout: float = 0) -> ExecResult:
        """Raises TimeoutError after killing the process; 0 waits for ever."""
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        err_read, err_write = os.pipe2(os.O_CLOEXEC)
        readers = [asyncio.ensure_future(_read_all(out_read)), asyncio.ensure_future(_read_all(err_read))]
        try:
            try:
                process = await self.exec(id, spec, -1, out_write, err_write)
            finally:
                os.close(out_write)
                os.close(err_write)
            try:
                async with asyncio.timeout(timeout or None):
                    code = await process.wait()
            except (TimeoutError, asyncio.CancelledError):
                with contextlib.suppress(RuntimeFailure):
                    await process.kill()
                raise
            # A grandchild may hold the pipes open for ever; what the process itself wrote is read all the same.
            await asyncio.wait(readers, timeout=DRAIN_SECONDS)
        finally:
            for reader in readers:
                reader.cancel()
        stdout, stderr = await asyncio.gather(*readers)
        return ExecResult(stdout, stderr, code)

    async def attach_io(self, id: str) -> AttachedStreams:
        ok, fds = await self._channel.call("attach", id=id)
        ends = iter(fds)
        return AttachedStreams(*(next(ends) if there else -1 for there in ok["present"]))

    async def resize(self, id: str, width: int, height: int) -> None:
        await self._channel.call("resize", id=id, width=width, height=height)

    async def reopen_log(self, id: str) -> None:
        await self._channel.call("reopen_log", id=id)

    async def remove_container(self, id: str) -> None:
        """Kills it if it runs, waits for the end, removes its cgroup. An unknown id is no error."""
        await self._channel.call("remove", id=id)

    async def list(self) -> list[ContainerState]:
        ok, _ = await self._channel.call("list")
        return [_state(entry) for entry in ok["containers"]]

    async def stop(self) -> None:
        """Kill the containers, remove the cgroups, end the shim. Returns when it is gone."""
        with contextlib.suppress(ShimGone):
            await self._channel.call("stop")
        await asyncio.shield(self.closed)

    def close(self) -> None:
        """Hang up. A committed shim goes on by itself, another one ends."""
        self._channel.close()

    @property
    def events(self) -> AsyncIterator[ContainerExit]:
        """Exits since this connection was made; ends when the shim is gone. `list` knows the earlier ones."""
        return self._events()

    async def _events(self) -> AsyncIterator[ContainerExit]:
        while (message := await self._channel.events.get()) is not None:
            if message.get("event") == "exit":
                yield _exit(message["exit"])


class Zygote:
    """The warm interpreter that forks shims. It ends with its connection; shims do not."""

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        self._process = process
        self._channel = channel
        self.pid = process.pid
        self.closed = channel.closed

    @classmethod
    async def start(cls, run_dir: str | os.PathLike[str], blanks: int = 2) -> Self:
        """Keeps `blanks` shims ready, 1.5 MB each: a sandbox then waits for neither a fork nor a network namespace.
        Its stderr goes to `zygote.log` in `run_dir`: only a crash writes there."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = _spawn(run_dir, theirs.fileno(), blanks)
        return cls(process, Channel(mine))

    async def create_sandbox(self, spec: SandboxSpec) -> Shim:
        """A shim that still has to be committed. Raises StepFailed with nothing left behind."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel = Channel(mine)
        try:
            with theirs:
                ask = self._channel.call("sandbox", [theirs.fileno()], spec=dataclasses.asdict(spec))
                (hello, _), _ = await asyncio.gather(channel.call("hello"), ask)
        except BaseException:
            channel.close()
            raise
        return Shim(channel, hello)

    async def stop(self) -> None:
        self._channel.close()
        await asyncio.get_running_loop().run_in_executor(None, self._process.wait)


async def attach(directory: str | os.PathLike[str]) -> Shim:
    """Adopt the living shim of the sandbox in `directory`. Raises ShimGone when there is none."""
    sock = _connect(Path(directory))
    channel = Channel(sock)
    try:
        hello, _ = await channel.call("hello")
        await channel.call("commit")
    except BaseException:
        channel.close()
        raise
    return Shim(channel, hello)


def _spawn(run_dir: str | os.PathLike[str], fd: int, blanks: int) -> subprocess.Popen[bytes]:
    package_root = str(Path(__file__).resolve().parents[2])
    # -S does not read the .pth files by which an editable install is found, so the path is given.
    code = (
        f"import sys; sys.path.insert(0, {package_root!r}); "
        f"from sampan_runtime.shim.zygote import main; main({fd}, {blanks})"
    )
    log = os.open(Path(run_dir) / "zygote.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[fd],
            start_new_session=True,
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
    finally:
        os.close(log)


def _connect(directory: Path) -> socket.socket:
    """A pid alone proves nothing: boot id, start time, and once more after the pidfd pins the process."""
    record = _record(directory)
    pid, start_time = record["pid"], record["start_time"]
    if record["boot_id"] != Path("/proc/sys/kernel/random/boot_id").read_text().strip():
        raise ShimGone("the machine was started again since")
    if _start_time(pid) != start_time:
        raise ShimGone(f"process {pid} is gone")
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError as error:
        raise ShimGone(f"process {pid} is gone") from error
    try:
        if _start_time(pid) != start_time:
            raise ShimGone(f"process {pid} is another one by now")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.connect(str(directory / "shim.sock"))
        except OSError as error:
            sock.close()
            raise ShimGone(f"{directory}/shim.sock: {error}") from error
        return sock
    finally:
        os.close(pidfd)


def read_exits(directory: str | os.PathLike[str]) -> dict[str, ContainerExit]:
    """What a shim had written of its containers' ends before it died itself."""
    try:
        record = json.loads((Path(directory) / "exits.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {entry["id"]: _exit(entry) for entry in record["exits"]}


def _record(directory: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((directory / "shim.json").read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise ShimGone(f"{directory}: no readable shim.json") from error
    return record


def _start_time(pid: int) -> int:
    """Field 22 of /proc/<pid>/stat, -1 when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return -1
    return int(text.rpartition(")")[2].split()[19])


def _state(entry: dict[str, Any]) -> ContainerState:
    exit = entry.get("exit")
    return ContainerState(
        entry["id"],
        entry["state"],
        entry["pid"],
        entry["created_at"],
        entry["started_at"],
        _exit(exit) if exit else None,
    )


def _exit(entry: dict[str, Any]) -> ContainerExit:
    return ContainerExit(**{name: entry[name] for name in ContainerExit.__slots__})


def _failure(error: dict[str, Any]) -> RuntimeFailure:
    kind = error.get("kind", "step")
    if kind == "step":
        return StepFailed(error["step"], error["errno"])
    return {"not_found": NoSuchContainer, "state": WrongState}.get(kind, RuntimeFailure)(error["message"])


def _complete(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


async def _read_all(fd: int) -> bytes:
    """Up to the limit, then to the bin; what had come when cancelled, with what the pipe holds then."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    collected = array.array("B")

    def collect() -> bool:
        """False at the end. One read empties a pipe."""
        chunk = os.read(fd, PIPE_SIZE)
        collected.frombytes(chunk[: max(0, SYNC_OUTPUT_LIMIT - len(collected))])
        return bool(chunk)

    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            with contextlib.suppress(BlockingIOError):
                if not collect():
                    break
    except asyncio.CancelledError:
        with contextlib.suppress(BlockingIOError):
            collect()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    return collected.tobytes()
