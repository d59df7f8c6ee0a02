"""The warm interpreter: everything a shim needs is imported once, frozen, and forked on request.

It does nothing else, holds no state, and ends with its connection to the daemon. Its children, the shims, do not.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from typing import NoReturn

from sampan_runtime import security, syscalls
from sampan_runtime.shim import child, shim, wire
from sampan_runtime.shim.containers import read_machine
from sampan_runtime.spec import Security


def main(fd: int) -> NoReturn:
    """Serve the daemon at the other end of the SEQPACKET socket `fd`."""
    connection = socket.socket(fileno=fd)
    # Shims that end while their zygote lives leave no zombie.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    security.prepare(Security(capabilities=security.DOCKER_CAPABILITIES))
    machine = read_machine()
    # Shims and containers import nothing, so what they inherit cannot: clearing it here costs the children nothing.
    child.forget_imports()
    gc.collect()
    gc.freeze()
    gc.disable()
    while (packet := wire.receive(connection)) is not None:
        message, fds = packet
        if message["op"] == "sandbox":
            with socket.socket(fileno=fds[0]) as given:
                if os.fork() == 0:
                    connection.close()
                    shim.main(message["spec"], given, machine)
        wire.send(connection, {"seq": message["seq"], "ok": {}})
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
