"""One pod: its namespaces, its containers' parent, and the server the daemon talks to.

Everything happens in one thread around one epoll. `_reap` is the only place that waits for children. The shim lives
as long as its pod; before `commit` it lives only as long as the connection that asked for it.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from sampan_runtime import cgroups, syscalls
from sampan_runtime.errors import NoSuchContainer, RuntimeFailure, StepFailed, WrongState
from sampan_runtime.network.netlink import NetlinkError
from sampan_runtime.network.pod import PodLink
from sampan_runtime.shim import containers, wire
from sampan_runtime.shim.shm import SharedMemory
from sampan_runtime.spec import Cgroup, Network, SandboxSpec

Handler = Callable[[], None]


class Connection:
    """A daemon. Answers and events wait in `queue` while it does not read."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.committed = False
        self.queue: list[tuple[wire.Message, list[int]]] = []


class Shim:
    def __init__(self, spec: SandboxSpec, machine: containers.Machine, shm: SharedMemory | None) -> None:
        self.spec = spec
        self.machine = machine
        self.poll = select.epoll()
        self.handlers: dict[int, tuple[int, Handler]] = {}
        self.connections: list[Connection] = []
        self.committed = False
        self.server: socket.socket | None = None
        self.pod = containers.Pod(spec, machine, shm, self)

    # The loop

    def watch(self, fd: int, events: int, handler: Handler) -> None:
        if fd in self.handlers:
            self.poll.modify(fd, events)
        else:
            self.poll.register(fd, events)
        self.handlers[fd] = (events, handler)

    def forget(self, fd: int) -> None:
        if self.handlers.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def loop(self) -> NoReturn:
        wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)

        def woken() -> None:
            os.read(wake_read, 512)
            self._reap()

        self.watch(wake_read, select.EPOLLIN, woken)
        self._reap()
        while True:
            for fd, _ in self.poll.poll(self.pod.timeout()):
                entry = self.handlers.get(fd)
                if entry is not None:
                    entry[1]()
            self.pod.tick()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.pod.reaped(pid, status)

    # Connections

    def serve(self, connection: Connection) -> None:
        self.connections.append(connection)
        self._watch_connection(connection)

    def _watch_connection(self, connection: Connection) -> None:
        events = select.EPOLLIN | (select.EPOLLOUT if connection.queue else 0)
        self.watch(connection.sock.fileno(), events, lambda: self._ready(connection))

    def accept(self) -> None:
        assert self.server is not None
        sock, _ = self.server.accept()
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.geteuid():
            sock.close()
            return
        self.serve(Connection(sock))

    def _ready(self, connection: Connection) -> None:
        self._flush(connection)
        if connection not in self.connections:
            return
        try:
            packet = wire.receive(connection.sock)
        except BlockingIOError:
            return
        except OSError:
            packet = None
        if packet is None:
            self._hang_up(connection)
            return
        message, fds = packet
        self._handle(connection, message, fds)

    def _hang_up(self, connection: Connection) -> None:
        self.connections.remove(connection)
        self.forget(connection.sock.fileno())
        connection.sock.close()
        if not self.committed:
            self.end()

    def _handle(self, connection: Connection, message: wire.Message, fds: list[int]) -> None:
        seq = message["seq"]

        def answer(ok: Mapping[str, Any], answer_fds: list[int] | None = None) -> None:
            self.send(connection, {"seq": seq, "ok": dict(ok)}, answer_fds or [])

        def refuse(error: Exception) -> None:
            self.send(connection, {"seq": seq, "error": describe(error)}, [])

        try:
            self._dispatch(connection, message, fds, answer, refuse)
        except (RuntimeFailure, OSError) as error:
            refuse(error)
        finally:
            for fd in fds:
                os.close(fd)

    def _dispatch(
        self,
        connection: Connection,
        message: wire.Message,
        fds: list[int],
        answer: containers.Answer,
        refuse: containers.Refuse,
    ) -> None:
        pod, id = self.pod, message.get("id", "")
        match message["op"]:
            case "hello":
                answer({"id": self.spec.id, "pid": os.getpid(), "version": wire.VERSION})
            case "commit":
                self.committed = connection.committed = True
                answer({})
            case "create":
                pod.create(message["spec"], answer, refuse)
            case "start":
                pod.start(id, answer, refuse)
            case "kill":
                pod.kill(id, message["signal"])
                answer({})
            case "exec":
                event = self._exec_event(connection)
                pod.exec(id, message["spec"], message["stdio"], fds, answer, refuse, event)
            case "exec_kill":
                pod.exec_kill(message["exec"], message["signal"])
                answer({})
            case "attach":
                present, ends = pod.attach(id)
                answer({"present": present}, ends)
            case "resize":
                pod.resize(id, message["width"], message["height"])
                answer({})
            case "reopen_log":
                pod.reopen_log(id)
                answer({})
            case "remove":
                pod.remove(id, answer)
            case "list":
                answer({"containers": pod.describe()})
            case "stop":
                pod.stop(lambda: self._answer_and_end(answer))
            case unknown:
                raise WrongState(f"this shim does not know the request {unknown}")

    def _answer_and_end(self, answer: containers.Answer) -> NoReturn:
        answer({})
        self.end()

    def _exec_event(self, connection: Connection) -> Callable[[int, int], None]:
        def report(number: int, exit_code: int) -> None:
            self.send(connection, {"event": "exec_exit", "exec": number, "exit_code": exit_code}, [])

        return report

    def send(self, connection: Connection, message: wire.Message, fds: list[int]) -> None:
        """Takes the descriptors over."""
        if connection not in self.connections:
            for fd in fds:
                os.close(fd)
            return
        connection.queue.append((message, fds))
        self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        before = bool(self.handlers[connection.sock.fileno()][0] & select.EPOLLOUT)
        while connection.queue:
            message, fds = connection.queue[0]
            try:
                wire.send(connection.sock, message, fds)
            except BlockingIOError:
                break
            except OSError:
                self._hang_up(connection)
                return
            for fd in fds:
                os.close(fd)
            connection.queue.pop(0)
        if before != bool(connection.queue):
            self._watch_connection(connection)

    def broadcast(self, message: wire.Message) -> None:
        for connection in list(self.connections):
            self.send(connection, message, [])

    # Life

    def publish(self) -> None:
        """Become findable: the socket first, then the record that names it."""
        directory = self.spec.directory
        path = f"{directory}/shim.sock"
        _unlink(path)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self.server.bind(path)
        os.chmod(path, 0o600)
        self.server.listen(8)
        self.watch(self.server.fileno(), select.EPOLLIN, self.accept)
        with open("/proc/self/stat") as file:
            start_time = int(file.read().rpartition(")")[2].split()[19])
        record = {"version": wire.VERSION, "id": self.spec.id, "boot_id": self.machine.boot_id}
        record |= {"pid": os.getpid(), "start_time": start_time}
        write_file(f"{directory}/shim.json", record)

    def write_state(self, name: str, record: Mapping[str, Any]) -> None:
        write_file(f"{self.spec.directory}/{name}", record)

    def end(self) -> NoReturn:
        self.pod.destroy()
        for name in ("shim.json", "shim.sock"):
            _unlink(f"{self.spec.directory}/{name}")
        os._exit(0)


def write_file(path: str, record: Mapping[str, Any]) -> None:
    """Without fsync: what a shim writes means nothing after a power cut, and the boot id tells."""
    fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, json.dumps(record).encode())
    finally:
        os.close(fd)
    os.rename(path + ".new", path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def describe(error: Exception) -> dict[str, Any]:
    match error:
        case StepFailed():
            return {"kind": "step", "step": error.step, "errno": error.errno}
        case NetlinkError():
            return {"kind": "step", "step": error.step, "errno": error.errno}
        case NoSuchContainer():
            return {"kind": "not_found", "message": str(error)}
        case WrongState():
            return {"kind": "state", "message": str(error)}
        case OSError():
            step = error.strerror or str(error)
            return {"kind": "step", "step": f"{step} {error.filename or ''}".strip(), "errno": error.errno or errno.EIO}
        case _:
            return {"kind": "other", "message": f"{type(error).__name__}: {error}"}


def sandbox_spec(data: Mapping[str, Any]) -> SandboxSpec:
    known = {name: value for name, value in data.items() if name in SandboxSpec.__slots__}
    known["cgroup"] = Cgroup(**data["cgroup"])
    known["network"] = Network(**data["network"]) if data["network"] else None
    return SandboxSpec(**known)


class Blank:
    """A process on its way to being a pod's: in namespaces of its own, not yet told whose. Raises StepFailed."""

    def __init__(self, machine: containers.Machine, *, network: bool = True, ipc: bool = True) -> None:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        gc.enable()
        self.machine = machine
        try:
            self.link = PodLink() if network else None
            syscalls.unshare(syscalls.CLONE_NEWUTS | (syscalls.CLONE_NEWIPC if ipc else 0))
            self.shm = SharedMemory(machine.clones_detached) if ipc else None
        except NetlinkError:
            raise
        except OSError as error:
            raise StepFailed("make the pod's namespaces", error.errno or errno.EIO) from error

    def become(self, spec: SandboxSpec) -> Shim:
        """Raises StepFailed or OSError, with no process or cgroup left."""
        os.makedirs(spec.directory, 0o700, exist_ok=True)
        shim = Shim(spec, self.machine, self.shm)
        try:
            if self.link is not None and spec.network is not None:
                self.link.configure(spec.network)
            self._name(spec)
            shim.pod.prepare()
            shim.publish()
        except (RuntimeFailure, OSError):
            shim.pod.destroy()
            raise
        return shim

    def _name(self, spec: SandboxSpec) -> None:
        step = f"set the host name {spec.hostname}"
        try:
            if spec.hostname:
                syscalls.sethostname(spec.hostname)
            for name, value in spec.sysctls.items():
                step = f"set {name} to {value}"
                cgroups.Write(f"/proc/sys/{name.replace('.', '/')}", value).execute()
        except OSError as error:
            raise StepFailed(step, error.errno or errno.EIO) from error


def main(machine: containers.Machine, spec_data: Mapping[str, Any], given: socket.socket) -> NoReturn:
    """The forked child of the zygote, for a pod that is known."""
    try:
        spec = sandbox_spec(spec_data)
        try:
            blank = Blank(machine, network=spec.network is not None, ipc=not spec.host_ipc)
        except (RuntimeFailure, OSError) as error:
            _refuse(given, error)
            os._exit(1)
        _serve(blank, spec, given)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def wait(machine: containers.Machine, bell: socket.socket) -> NoReturn:
    """The forked child of the zygote, ahead of its pod: what comes through `bell` says which."""
    try:
        blank = Blank(machine)
        packet = wire.receive(bell)
        if packet is not None:
            bell.close()
            message, (fd,) = packet
            _serve(blank, sandbox_spec(message["spec"]), socket.socket(fileno=fd))
    except (RuntimeFailure, OSError):
        # The pod it was meant for will be forked afresh and meet the same refusal, with somebody listening.
        pass
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _serve(blank: Blank, spec: SandboxSpec, given: socket.socket) -> NoReturn:
    try:
        shim = blank.become(spec)
    except (RuntimeFailure, OSError) as error:
        _refuse(given, error)
        os._exit(1)
    shim.serve(Connection(given))
    shim.loop()


def _refuse(given: socket.socket, error: Exception) -> None:
    given.setblocking(True)
    packet = wire.receive(given)
    if packet is not None:
        wire.send(given, {"seq": packet[0]["seq"], "error": describe(error)})
