"""Keeps the processes of a cluster alive: forks the mains, watches them by pidfd, forks again what dies.

Started by `up`, and by the guardian when it has died. It begins by adopting what runs already (pid + start time + boot
id on record), so its own death changes nothing for anybody. It imports the mains once, before the first fork: a fork
of a warm interpreter serves within milliseconds. So it must stay single-threaded, and no main may open a gRPC channel
at import time. SIGTERM ends it and nothing else; taking the cluster down is the work of `takedown`.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import resource
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from sampan_cli.cluster import cgroups, child, guardian, identity, record
from sampan_cli.cluster.backoff import Backoff
from sampan_cli.cluster.plan import Component, Plan
from sampan_cli.cluster.record import GUARDIAN, SUPERVISOR, Phase

LOG_LIMIT = 10 << 20
LOG_CHECK_SECONDS = 10.0
WAITING_POLL_SECONDS = 0.01


@dataclass
class Watched:
    component: Component
    fd: int | None = None
    """pidfd of the running process."""
    pid: int = 0
    generation: int = 0
    due: float = 0.0
    """When to start it (monotonic), while it does not run."""
    backoff: Backoff = field(default_factory=Backoff)


class Supervisor:
    """The set of watched components. Invariant: each is either registered with the poller or due to be started."""

    def __init__(self, plan: Plan, parts: tuple[Component, ...]) -> None:
        self.plan = plan
        self.cluster = plan.settings.cluster
        self.watched = [Watched(part) for part in parts]
        self.poller = select.poll()
        self.by_fd: dict[int, Watched] = {}
        self.guardian_fd: int | None = None
        self.stopping = False
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.poller.register(self.wake_read, select.POLLIN)
        self.next_log_check = 0.0

    def adopt(self) -> None:
        """Watch again what an earlier supervisor has started and what still runs."""
        for watched in self.watched:
            recorded = identity.read(record.process_path(self.cluster, watched.component.name))
            if recorded is None:
                continue
            watched.generation = recorded.generation
            fd = recorded.open()
            if fd is not None:
                self._watch(watched, fd, recorded.pid)
                _say(f"adopted {watched.component.name}, pid {recorded.pid}")

    def _watch(self, watched: Watched, fd: int, pid: int) -> None:
        watched.fd, watched.pid = fd, pid
        watched.backoff.started = time.monotonic()
        self.by_fd[fd] = watched
        self.poller.register(fd, select.POLLIN)

    def start_due(self, executables_only: bool = False) -> None:
        """Start what is due. Before the mains are imported only foreign programs (etcd) can be."""
        now = time.monotonic()
        for watched in self.watched:
            part = watched.component
            if watched.fd is not None or watched.due > now or (executables_only and part.module):
                continue
            if not all(Path(file).exists() for file in part.after):
                watched.due = now + WAITING_POLL_SECONDS
                continue
            self._start(watched)

    def _start(self, watched: Watched) -> None:
        watched.generation += 1
        close = [self.wake_read, self.wake_write, *self.by_fd]
        if self.guardian_fd is not None:
            close.append(self.guardian_fd)
        pid = child.start(self.cluster, watched.component, watched.generation, close)
        self._watch(watched, os.pidfd_open(pid), pid)
        _say(f"started {watched.component.name}, pid {pid}")

    def ensure_guardian(self) -> None:
        recorded = record.process(self.cluster, GUARDIAN)
        self.guardian_fd = recorded.open() if recorded else None
        if self.guardian_fd is None:
            state = str(self.plan.settings.state_dir)
            argv = [sys.executable, "-I", "-S", str(guardian.__file__), state, *supervisor_command(self.cluster)]
            pid = os.posix_spawn(sys.executable, argv, dict(os.environ), setsid=True)
            self.guardian_fd = os.pidfd_open(pid)
        self.poller.register(self.guardian_fd, select.POLLIN)

    def run(self) -> None:
        """Until told to stop. A record that says `down` stops it too: then nothing may be started again."""
        while not self.stopping:
            self.start_due()
            for fd, _ in self.poller.poll(self._patience()):
                if fd == self.wake_read:
                    os.read(self.wake_read, 4096)
                elif fd == self.guardian_fd:
                    self._forget_guardian()
                elif fd in self.by_fd:
                    self._died(self.by_fd[fd])
            self._reap()
            self._cap_logs()

    def _patience(self) -> int:
        """Milliseconds until something is due."""
        now = time.monotonic()
        dues = [w.due for w in self.watched if w.fd is None]
        return max(1, int((min([now + LOG_CHECK_SECONDS, *dues]) - now) * 1000) + 1)

    def _died(self, watched: Watched) -> None:
        fd = watched.fd
        assert fd is not None
        self.poller.unregister(fd)
        del self.by_fd[fd]
        os.close(fd)
        watched.fd = None
        self._stop_if_unwanted()
        now = time.monotonic()
        pause = watched.backoff.died(now)
        watched.due = now + pause
        how = _ending(watched.pid)
        _say(f"{watched.component.name}, pid {watched.pid}, {how}; starting it again in {pause:.1f} s")

    def _reap(self) -> None:
        """Orphans that came to us as subreaper, and children whose pidfd has not been polled yet."""
        by_pid = {w.pid: w for w in self.by_fd.values()}
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            if found.si_pid in by_pid:
                self._died(by_pid.pop(found.si_pid))
            else:
                os.waitpid(found.si_pid, 0)

    def _forget_guardian(self) -> None:
        assert self.guardian_fd is not None
        self.poller.unregister(self.guardian_fd)
        os.close(self.guardian_fd)
        self.guardian_fd = None
        self._stop_if_unwanted()
        if not self.stopping:
            _say("the guardian is gone; starting it again")
            self.ensure_guardian()

    def _stop_if_unwanted(self) -> None:
        loaded = record.load(self.cluster)
        if loaded is None or loaded[1] is not Phase.UP:
            self.stopping = True

    def _cap_logs(self) -> None:
        now = time.monotonic()
        if now < self.next_log_check:
            return
        self.next_log_check = now + LOG_CHECK_SECONDS
        for watched in self.watched:
            cap_log(Path(watched.component.log))


def cap_log(path: Path, limit: int = LOG_LIMIT) -> None:
    """Keep one old part. Writers append (O_APPEND), so truncating under them is safe."""
    try:
        if path.stat().st_size <= limit:
            return
    except FileNotFoundError:
        return
    data = path.read_bytes()
    path.with_name(path.name + ".1").write_bytes(data[-limit:])
    os.truncate(path, 0)


def _ending(pid: int) -> str:
    """How a child ended; an adopted process is somebody else's child and takes that knowledge with it."""
    try:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return "ended"
    return f"exited with code {status}" if status >= 0 else f"was killed by signal {-status}"


def _say(text: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(f"{stamp} {text}", flush=True)


def supervisor_command(cluster: str) -> list[str]:
    return [sys.executable, "-P", "-m", "sampan_cli.cluster.supervisor", cluster]


def preload(parts: tuple[Component, ...]) -> None:
    """Import the mains once, for all forks. One that cannot be imported fails in its own process, into its own log."""
    for module in dict.fromkeys(part.module for part in parts if part.module):
        try:
            importlib.import_module(module)
        except ImportError:
            _say(f"{module} cannot be imported")
            traceback.print_exc()
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        _say(f"warning: {threads} threads after the imports; forks may hang")
    gc.collect()
    gc.freeze()


def supervise(cluster: str, ready_fd: int | None = None) -> int:
    """`ready_fd`: what needs the machine's set-up waits for a byte on it."""
    loaded = record.load(cluster)
    if loaded is None or loaded[1] is not Phase.UP:
        _say(f"cluster {cluster} is not wanted up")
        return 0
    plan = loaded[0]
    lock = open(record.process_path(cluster, "lock"), "w")  # noqa: SIM115 (held until the process ends)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        _say("another supervisor is at work")
        return 0
    identity.write(record.process_path(cluster, SUPERVISOR), identity.own())
    _prepare_process(plan)
    supervisor = Supervisor(plan, record.load_components(cluster))
    _listen_to_signals(supervisor)
    supervisor.adopt()
    supervisor.start_due(executables_only=True)
    supervisor.ensure_guardian()
    preload(tuple(w.component for w in supervisor.watched))
    if ready_fd is not None and not _machine_ready(ready_fd):
        _say("the set-up of the machine failed; nothing more is started")
        return 1
    supervisor.run()
    return 0


def _prepare_process(plan: Plan) -> None:
    cgroups.enter_control(plan.control_cgroup)
    child.become_subreaper()
    child.name_process("sampan-supervis")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"


def _listen_to_signals(supervisor: Supervisor) -> None:
    def stop(_number: int, _frame: object) -> None:
        supervisor.stopping = True

    signal.set_wakeup_fd(supervisor.wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)


def _machine_ready(fd: int) -> bool:
    """`up` holds the other end: a byte = bridge and namespaces are made, end of file = it gave up."""
    byte = os.read(fd, 1)
    os.close(fd)
    return byte == b"1"


if __name__ == "__main__":
    for inherited in sys.argv[2:]:
        os.set_inheritable(int(inherited), False)
    sys.exit(supervise(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
