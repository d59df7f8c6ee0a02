"""What happens to a pod's containers: requests come in from `shim`, forks go out to `container`, ends come back.

Nothing here waits. A create is answered when its child reports, an exit is told when its output has been drained.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sampan_runtime import cgroups, syscalls
from sampan_runtime.cgroups import devices
from sampan_runtime.errors import NoSuchContainer, StepFailed, WrongState
from sampan_runtime.shim import container as forks
from sampan_runtime.shim.container import Container, Process
from sampan_runtime.shim.shm import SharedMemory, clones_detached
from sampan_runtime.shim.stdio import READ, Lines, LogFile, Sink

if TYPE_CHECKING:
    from sampan_runtime.shim.shim import Shim
    from sampan_runtime.spec import ContainerSpec, SandboxSpec

Answer = Callable[..., None]
Refuse = Callable[[Exception], None]
DRAIN_SECONDS = 3.0
"""How long the end of a container waits for an attached client that takes nothing of the output."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is the same for every pod: read once, by the zygote."""

    hierarchies: cgroups.Hierarchies
    boot_id: str
    device_filter: int
    """The eBPF program for cgroup v2's containers; -1 where v1 has the list."""
    clones_detached: bool
    """What `shm` asks of the kernel."""


def read_machine() -> Machine:
    hierarchies = cgroups.detect()
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot_id = file.read().strip()
    return Machine(hierarchies, boot_id, -1 if "devices" in hierarchies.v1 else devices.load(), clones_detached())


@dataclass(slots=True)
class Running:
    """A process started by exec."""

    process: Process
    answer: Answer
    refuse: Refuse
    report: Callable[[int, int], None]
    started: bool = False
    exit_code: int | None = None


class Pod:
    def __init__(self, spec: SandboxSpec, machine: Machine, shm: SharedMemory | None, shim: Shim) -> None:
        self.spec = spec
        self.machine = machine
        self.shim = shim
        self.containers: dict[str, Container] = {}
        self.execs: dict[int, Running] = {}
        self.next_exec = 0
        self.pause = -1
        self.pause_namespace = -1
        self.draining: dict[str, float] = {}
        self.removals: dict[str, list[Callable[[], None]]] = {}
        self.stopping: list[Callable[[], Any]] = []
        self.around = forks.Surroundings(machine.hierarchies, -1, shm, -1)

    def prepare(self) -> None:
        """Raises StepFailed or OSError."""
        hierarchies = self.around.hierarchies
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.around = forks.Surroundings(hierarchies, own, self.around.shm, null)
        cgroups.create(hierarchies, self.spec.cgroup)
        if self.spec.share_pid:
            self._start_pause()

    def _start_pause(self) -> None:
        """Process 1 of a shared pid namespace: it reaps what is orphaned there and has nothing else to do."""
        pid, pidfd = forks.fork(syscalls.CLONE_NEWPID, -1, -1, "")
        if pid == 0:
            try:
                syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
                syscalls.close_range(3, 0xFFFFFFFF, 0)
                signal.signal(signal.SIGCHLD, signal.SIG_IGN)
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: os._exit(0))
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(pidfd)
        self.pause = pid
        self.pause_namespace = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    # Requests

    def find(self, id: str) -> Container:
        try:
            return self.containers[id]
        except KeyError:
            raise NoSuchContainer(id) from None

    def create(self, data: Mapping[str, Any], answer: Answer, refuse: Refuse) -> None:
        spec = forks.container_spec(data)
        if spec.id in self.containers:
            raise WrongState(f"container {spec.id} exists")
        self._make_cgroup(spec)
        theirs: list[int] = []
        ours: dict[int, Lines] = {}
        stdin = -1
        log = LogFile(spec.log_path)
        try:
            if spec.tty:
                stdio = (self.around.null,) * 3
            else:
                stdin_read = self.around.null
                if spec.stdin:
                    stdin_read, stdin = os.pipe2(os.O_CLOEXEC)
                    theirs.append(stdin_read)
                    os.set_blocking(stdin, False)
                outs = []
                for name in (b"stdout", b"stderr"):
                    read, write = os.pipe2(os.O_CLOEXEC)
                    os.set_blocking(read, False)
                    ours[read] = Lines(name)
                    outs.append(write)
                theirs += outs
                stdio = (stdin_read, outs[0], outs[1])
            process, privileges, task_files = forks.spawn(
                self.around, spec, self._pid_namespace(spec.pid_namespace), stdio
            )
        except BaseException:
            for fd in [*ours, *([stdin] if stdin >= 0 else [])]:
                os.close(fd)
            log.close()
            cgroups.remove(self.around.hierarchies, spec.cgroup.path)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        container = Container(spec, process, privileges, task_files, forks.now(), stdin=stdin, outputs=ours, log=log)
        self.containers[spec.id] = container
        for fd in ours:
            self._watch_output(container, fd)
        self._watch_status(container, answer, refuse)

    def _make_cgroup(self, spec: ContainerSpec) -> None:
        hierarchies = self.around.hierarchies
        cgroups.create(hierarchies, spec.cgroup)
        if not spec.security.privileged:
            devices.restrict(hierarchies, spec.cgroup.path, self.machine.device_filter)

    def _pid_namespace(self, asked: str) -> int:
        """A descriptor for setns; -1 where the fork makes the right one by itself."""
        if asked in ("container", "node"):
            return -1
        if asked == "pod":
            return self.pause_namespace
        return self.find(asked).process.pidfd

    def _watch_status(self, container: Container, answer: Answer, refuse: Refuse) -> None:
        status = container.process.status
        status.setblocking(False)

        def report() -> None:
            try:
                data, ancillary, _, _ = status.recvmsg(4096, 64, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            if data == b"T":
                self._take_terminal(container, _descriptor(ancillary))
                return
            if data == b"R":
                self.shim.forget(status.fileno())
                container.state = "created"
                answer({"pid": container.process.pid})
                return
            self.shim.forget(status.fileno())
            container.state = "failed"
            refuse(_reported(data, "the process ended before it was ready"))
            self.remove(container.spec.id, lambda _: None)

        self.shim.watch(status.fileno(), select.EPOLLIN, report)

    def _take_terminal(self, container: Container, master: int) -> None:
        os.set_blocking(master, False)
        container.process.master = master
        container.outputs[master] = Lines(b"stdout")
        if container.spec.stdin:
            container.stdin = master
        self._watch_output(container, master)

    def start(self, id: str, answer: Answer, refuse: Refuse) -> None:
        container = self.find(id)
        forks.require(container, "created")
        if container.state != "created":
            raise WrongState(f"container {id} is {container.state}")
        container.state = "starting"
        status = container.process.status
        try:
            status.send(b"G")
        except OSError as error:
            raise WrongState(f"container {id} died before its start") from error

        def report() -> None:
            try:
                data = status.recv(4096)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            self.shim.forget(status.fileno())
            status.close()
            if data:
                container.state, container.started_at = "failed", 0
                refuse(_reported(data, ""))
                self._finish_if_done(container)
                return
            container.state = "running"
            answer({"pid": container.process.pid})
            self._finish_if_done(container)

        container.started_at = forks.now()
        self.shim.watch(status.fileno(), select.EPOLLIN, report)

    def kill(self, id: str, number: int) -> None:
        container = self.find(id)
        if container.exit is None and number == signal.SIGKILL:
            self._kill_cgroup(container)
        forks.send_signal(container, number)

    def _kill_cgroup(self, container: Container) -> None:
        # The kernel ends a pid namespace with its init; only a shared one needs the cgroup's help.
        if container.spec.pid_namespace != "container":
            cgroups.kill(self.around.hierarchies, container.spec.cgroup.path)

    def exec(
        self,
        id: str,
        data: Mapping[str, Any],
        present: list[bool],
        fds: list[int],
        answer: Answer,
        refuse: Refuse,
        report: Callable[[int, int], None],
    ) -> None:
        container = self.find(id)
        forks.require(container, "running")
        given = iter(fds)
        null = self.around.null
        stdin, stdout, stderr = (next(given, null) if there and fds else null for there in present)
        process = forks.spawn_exec(self.around, container, forks.exec_spec(data), (stdin, stdout, stderr))
        self.next_exec += 1
        number = self.next_exec
        running = Running(process, answer, refuse, report)
        self.execs[number] = running
        process.status.setblocking(False)
        self.shim.watch(process.status.fileno(), select.EPOLLIN, lambda: self._exec_status(number, running))

    def _exec_status(self, number: int, running: Running) -> None:
        process = running.process
        try:
            data, ancillary, _, _ = process.status.recvmsg(4096, 64, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except ConnectionError:
            data, ancillary = b"", []
        if data == b"T":
            process.master = _descriptor(ancillary)
            return
        self.shim.forget(process.status.fileno())
        process.status.close()
        master, process.master = process.master, -1
        if data:
            if master >= 0:
                os.close(master)
            running.refuse(_reported(data, ""))
            self.execs.pop(number)
            return
        running.started = True
        running.answer({"exec": number, "pid": process.pid}, [master] if master >= 0 else [])
        self._finish_exec(number, running)

    def _finish_exec(self, number: int, running: Running) -> None:
        if running.started and running.exit_code is not None:
            self.execs.pop(number, None)
            running.report(number, running.exit_code)

    def exec_kill(self, number: int, signal_number: int) -> None:
        running = self.execs.get(number)
        if running is not None and running.exit_code is None:
            try:
                signal.pidfd_send_signal(running.process.pidfd, signal_number)
            except ProcessLookupError:
                pass

    def attach(self, id: str) -> tuple[list[bool], list[int]]:
        container = self.find(id)
        if container.exit is not None:
            raise WrongState(f"container {id} has exited")
        ends: list[int] = []
        with_stdin = container.spec.stdin and container.stdin >= 0
        if with_stdin:
            read, write = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(read, False)
            container.sources.append(read)
            self.shim.watch(read, select.EPOLLIN, partial(self._feed, container, read))
            ends.append(write)
        streams = [b"stdout"] if container.spec.tty else [b"stdout", b"stderr"]
        for name in streams:
            read, write = os.pipe2(os.O_CLOEXEC)
            container.sinks[name].append(Sink(write))
            ends.append(read)
        return [with_stdin, True, not container.spec.tty], ends

    def resize(self, id: str, width: int, height: int) -> None:
        container = self.find(id)
        if container.process.master < 0:
            raise WrongState(f"container {id} has no terminal")
        fcntl.ioctl(container.process.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def reopen_log(self, id: str) -> None:
        container = self.find(id)
        if container.log is not None:
            container.log.reopen()

    def remove(self, id: str, answer: Answer) -> None:
        container = self.containers.get(id)
        if container is None:
            answer({})
            return

        def finish() -> None:
            self.containers.pop(id, None)
            cgroups.remove(self.around.hierarchies, container.spec.cgroup.path)
            self._write_exits()
            answer({})

        if container.exit is not None:
            finish()
            return
        self.removals.setdefault(id, []).append(finish)
        self.kill(id, signal.SIGKILL)

    def stop(self, done: Callable[[], Any]) -> None:
        self.stopping.append(done)
        for id in list(self.containers):
            self.kill(id, signal.SIGKILL)
        self._stopped_if_done()

    def _stopped_if_done(self) -> None:
        if self.stopping and all(container.exit is not None for container in self.containers.values()):
            for done in self.stopping:
                done()

    def describe(self) -> list[dict[str, Any]]:
        return [c.describe() for c in self.containers.values() if c.state != "creating"]

    def destroy(self) -> None:
        """Kill what is left and remove the cgroups; the namespaces end with this process."""
        for container in self.containers.values():
            if container.exit is None:
                self._kill_cgroup(container)
                forks.send_signal(container, signal.SIGKILL)
        if self.pause >= 0:
            try:
                os.kill(self.pause, signal.SIGKILL)
            except ProcessLookupError:
                pass
        signal.set_wakeup_fd(-1)
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break
        cgroups.remove(self.around.hierarchies, self.spec.cgroup.path)

    # Streams

    def _watch_output(self, container: Container, fd: int) -> None:
        self.shim.watch(fd, select.EPOLLIN, lambda: self._output(container, fd))

    def _output(self, container: Container, fd: int) -> None:
        lines = container.outputs.get(fd)
        if lines is None:
            return
        try:
            data = os.read(fd, READ)
        except BlockingIOError:
            return
        except OSError:
            # A terminal whose last slave is closed says EIO where a pipe says end of file.
            data = b""
        now = forks.now()
        if not data:
            self._output_ended(container, fd)
            return
        self._moved(container)
        if container.log is not None:
            container.log.write(lines.feed(data, now))
        stream = lines.stream
        for sink in list(container.sinks[stream]):
            if not sink.write(data):
                self._drop(container, stream, sink)
            elif sink.pending:
                self._hold(container, fd, stream, sink)

    def _hold(self, container: Container, fd: int, stream: bytes, sink: Sink) -> None:
        """Read no more from the container until this client has taken what it was given."""
        self.shim.forget(fd)

        def writable() -> None:
            self._moved(container)
            alive = sink.write(b"")
            if alive and sink.pending:
                return
            self.shim.forget(sink.fd)
            if not alive:
                self._drop(container, stream, sink)
            if fd in container.outputs and not any(other.pending for other in container.sinks[stream]):
                self._watch_output(container, fd)

        self.shim.watch(sink.fd, select.EPOLLOUT, writable)

    def _moved(self, container: Container) -> None:
        if container.spec.id in self.draining:
            self.draining[container.spec.id] = time.monotonic() + DRAIN_SECONDS

    def _sweep(self, container: Container) -> None:
        """What the ended process has left in its pipes is logged, whoever else does not take it."""
        for fd in list(container.outputs):
            self._output(container, fd)

    def _drop(self, container: Container, stream: bytes, sink: Sink) -> None:
        if sink in container.sinks[stream]:
            container.sinks[stream].remove(sink)
            self.shim.forget(sink.fd)
            os.close(sink.fd)

    def _output_ended(self, container: Container, fd: int) -> None:
        lines = container.outputs.pop(fd)
        self.shim.forget(fd)
        if container.log is not None:
            container.log.write(lines.end(forks.now()))
        if container.stdin == fd:
            container.stdin = -1
        if container.process.master == fd:
            container.process.master = -1
        os.close(fd)
        for sink in list(container.sinks[lines.stream]):
            self._drop(container, lines.stream, sink)
        self._finish_if_done(container)

    def _feed(self, container: Container, source: int) -> None:
        """From an attached client to the container's standard input."""
        try:
            data = os.read(source, READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.shim.forget(source)
            container.sources.remove(source)
            os.close(source)
            if container.spec.stdin_once and not container.sources:
                self._close_stdin(container)
            return
        container.stdin_pending += data
        self._push_stdin(container)

    def _push_stdin(self, container: Container) -> None:
        fd = container.stdin
        if fd < 0:
            container.stdin_pending = b""
            return
        try:
            while container.stdin_pending:
                written = os.write(fd, container.stdin_pending)
                container.stdin_pending = container.stdin_pending[written:]
        except BlockingIOError:
            pass
        except OSError:
            container.stdin_pending = b""
        full = bool(container.stdin_pending)
        for source in container.sources:
            if full:
                self.shim.forget(source)
            else:
                self.shim.watch(source, select.EPOLLIN, partial(self._feed, container, source))
        if fd == container.process.master:
            events = select.EPOLLIN | (select.EPOLLOUT if full else 0)
            self.shim.watch(fd, events, lambda: self._terminal_ready(container, fd))
        elif full:
            self.shim.watch(fd, select.EPOLLOUT, lambda: self._push_stdin(container))
        else:
            self.shim.forget(fd)

    def _terminal_ready(self, container: Container, fd: int) -> None:
        self._output(container, fd)
        if container.stdin == fd and container.stdin_pending:
            self._push_stdin(container)

    def _close_stdin(self, container: Container) -> None:
        fd = container.stdin
        if fd < 0:
            return
        if fd == container.process.master:
            # A terminal has no half-close; end of file is a character.
            container.stdin_pending += b"\x04"
            self._push_stdin(container)
            return
        if container.stdin_pending:
            self._push_stdin(container)
        self.shim.forget(fd)
        os.close(fd)
        container.stdin = -1

    # Ends

    def reaped(self, pid: int, status: int) -> None:
        """Called with whatever waitpid said, once per child; orphans of containers come here too."""
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + number if number else os.WEXITSTATUS(status)
        if pid == self.pause:
            self.pause = -1
            return
        for container in self.containers.values():
            if container.process.pid == pid and container.reaped is None:
                container.reaped = (code, number)
                container.finished_at = forks.now()
                if container.spec.pid_namespace != "container":
                    cgroups.kill(self.around.hierarchies, container.spec.cgroup.path)
                self.draining[container.spec.id] = time.monotonic() + DRAIN_SECONDS
                self._finish_if_done(container)
                return
        for id, running in list(self.execs.items()):
            if running.process.pid == pid:
                running.exit_code = code
                os.close(running.process.pidfd)
                self._finish_exec(id, running)
                return

    def _finish_if_done(self, container: Container, *, late: bool = False) -> None:
        if container.reaped is None or container.exit is not None:
            return
        if (container.outputs or container.state in ("creating", "starting")) and not late:
            return
        code, number = container.reaped
        id = container.spec.id
        self.draining.pop(id, None)
        oom = cgroups.oom_kills(self.around.hierarchies, container.spec.cgroup.path) > 0
        container.exit = {
            "id": id,
            "exit_code": code,
            "signal": number,
            "oom_killed": oom,
            "finished_at": container.finished_at,
        }
        self._release(container)
        if container.started_at:
            self._write_exits()
            self.shim.broadcast({"event": "exit", "exit": container.exit})
        for finish in self.removals.pop(id, []):
            finish()
        self._stopped_if_done()

    def _release(self, container: Container) -> None:
        for fd in list(container.outputs):
            self._output_ended(container, fd)
        for source in container.sources:
            self.shim.forget(source)
            os.close(source)
        container.sources.clear()
        if container.stdin >= 0:
            self.shim.forget(container.stdin)
            os.close(container.stdin)
            container.stdin = -1
        os.close(container.process.pidfd)
        if container.process.status.fileno() >= 0:
            self.shim.forget(container.process.status.fileno())
            container.process.status.close()
        if container.log is not None:
            container.log.close()
            container.log = None

    def _write_exits(self) -> None:
        from_all = [c.exit for c in self.containers.values() if c.exit is not None]
        self.shim.write_state("exits.json", {"exits": from_all})

    def timeout(self) -> float:
        """Seconds until `tick` has something to do; -1 is never."""
        if not self.draining:
            return -1
        return max(0.0, min(self.draining.values()) - time.monotonic())

    def tick(self) -> None:
        now = time.monotonic()
        for id, deadline in list(self.draining.items()):
            if deadline <= now:
                container = self.containers[id]
                self._sweep(container)
                self._finish_if_done(container, late=True)


def _descriptor(ancillary: list[tuple[int, int, bytes]]) -> int:
    ((_, _, payload),) = ancillary
    (fd,) = struct.unpack("i", payload[:4])
    return int(fd)


def _reported(data: bytes, otherwise: str) -> Exception:
    """ "E<errno> <step>" of child.run."""
    if data.startswith(b"E"):
        number, _, step = data[1:].decode("utf-8", "replace").partition(" ")
        return StepFailed(step, int(number))
    return WrongState(otherwise)
