"""The start of one component: a fork of the warm supervisor that becomes the component and never returns.

The child writes down who it is before it does anything else. So a supervisor killed right after the fork leaves a
process that its successor finds, and not a second master on the same ports.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from sampan_cli.cluster import identity, netns, record
from sampan_cli.cluster.plan import Component

PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def name_process(name: str) -> None:
    """What `ps -o comm` and `top` show; 15 bytes at most."""
    _libc.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def retitle_process(title: str) -> None:
    """What `ps aux` shows: the memory of our arguments, which the interpreter has copied long ago.

    It keeps its length: PR_SET_MM_ARG_END would need CAP_SYS_RESOURCE. proc_pid_stat(5), fields 48 and 49.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[48 - 3]), int(fields[49 - 3])
    if 0 < start < end:
        ctypes.memmove(start, title.encode()[: end - start - 1].ljust(end - start, b"\0"), end - start)


def become_subreaper() -> None:
    """Orphans of the cluster come to us, not to pid 1, which does not reap everywhere."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(cluster: str, component: Component, generation: int, close: Iterable[int]) -> int:
    """The pid of the new process. `close`: the supervisor's own descriptors."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _become(cluster, component, generation, close)
    return pid


def _become(cluster: str, component: Component, generation: int, close: Iterable[int]) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for fd in close:
            os.close(fd)
        os.setsid()
        os.chdir("/")
        _redirect(component.log)
        identity.write(record.process_path(cluster, component.name), identity.own(generation))
        if component.netns:
            netns.enter(component.netns)
        if not component.module:
            os.execvp(component.argv[0], component.argv)
        name_process(f"sampan-{component.name}")
        retitle_process(f"sampan-{component.name} --cluster {cluster}")
        sys.argv = [component.module, *component.argv]
        code = importlib.import_module(component.module).main(list(component.argv))
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
        if isinstance(left.code, str):
            print(left.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(log: str) -> None:
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for fd in (nothing, output):
        if fd > 2:
            os.close(fd)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
