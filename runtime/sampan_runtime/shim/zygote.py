"""The warm interpreter: everything a shim needs is imported once, frozen, and forked on request.

It does nothing else, holds no state, and ends with its connection to the daemon. Its children, the shims, do not.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
from typing import NoReturn

from sampan_runtime import security, syscalls
from sampan_runtime.shim import child, shim, warmup, wire
from sampan_runtime.shim.containers import Machine, read_machine
from sampan_runtime.spec import Security


def main(fd: int) -> NoReturn:
    """Serve the daemon at the other end of the SEQPACKET socket `fd`."""
    connection = socket.socket(fileno=fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    security.prepare(Security(capabilities=security.DOCKER_CAPABILITIES))
    machine = read_machine()
    # Shims and containers import nothing, so what they inherit cannot: clearing it here costs the children nothing.
    child.forget_imports()
    gc.disable()
    _share_more(connection, machine)
    # Shims that end while their zygote lives leave no zombie.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while (packet := wire.receive(connection)) is not None:
        message, fds = packet
        if message["op"] == "sandbox":
            with socket.socket(fileno=fds[0]) as given:
                if os.fork() == 0:
                    connection.close()
                    shim.main(message["spec"], given, machine)
        try:
            wire.send(connection, {"seq": message["seq"], "ok": {}})
        except ConnectionError:
            break
    os._exit(0)


def _share_more(connection: socket.socket, machine: Machine) -> None:
    """Rehearse until somebody waits or it is enough; then nothing here is ever looked at by a collector again."""
    for _ in range(warmup.ROUNDS):
        if select.select([connection], [], [], 0)[0]:
            break
        warmup.rehearse(machine)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    main(int(sys.argv[1]))
