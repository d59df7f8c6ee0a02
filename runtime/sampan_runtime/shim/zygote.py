"""The warm interpreter: everything a shim needs is imported once, frozen, and forked on request.

It ends with its connection to the daemon. Its children, the shims, do not. While nobody asks it keeps a few blanks
ready: shims in namespaces of their own that wait to be told their pod. They end with it.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from typing import NoReturn

from sampan_runtime import security, syscalls
from sampan_runtime.shim import child, shim, warmup, wire
from sampan_runtime.shim.containers import Machine, read_machine
from sampan_runtime.spec import Security

IDLE_SECONDS = 0.02
"""After a request the machine is busy with that pod: blanks are made when it has been quiet for so long."""


def main(fd: int, blanks: int) -> NoReturn:
    """Serve the daemon at the other end of the SEQPACKET socket `fd`, with up to `blanks` shims made ahead."""
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
    Zygote(machine, connection, blanks).loop()


class Zygote:
    def __init__(self, machine: Machine, connection: socket.socket, blanks: int) -> None:
        self._machine = machine
        self._connection = connection
        self._wanted = blanks
        self._blanks: list[socket.socket] = []

    def loop(self) -> NoReturn:
        while True:
            missing = self._wanted > len(self._blanks)
            if missing and not select.select([self._connection], [], [], IDLE_SECONDS)[0]:
                self._make_blank()
                continue
            packet = wire.receive(self._connection)
            if packet is None:
                os._exit(0)
            message, fds = packet
            if message["op"] == "sandbox":
                with socket.socket(fileno=fds[0]) as given:
                    self._sandbox(message["spec"], given)
            try:
                wire.send(self._connection, {"seq": message["seq"], "ok": {}})
            except ConnectionError:
                os._exit(0)

    def _make_blank(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            if os.fork() == 0:
                ours.close()
                self._leave()
                shim.wait(self._machine, theirs)
        self._blanks.append(ours)

    def _sandbox(self, spec: wire.Message, given: socket.socket) -> None:
        if spec["network"] is not None and not spec["host_ipc"] and self._hand_over(spec, given):
            return
        if os.fork() == 0:
            self._leave()
            shim.main(self._machine, spec, given)

    def _hand_over(self, spec: wire.Message, given: socket.socket) -> bool:
        """To the oldest blank that lives."""
        while self._blanks:
            with self._blanks.pop(0) as blank:
                if select.select([blank], [], [], 0)[0]:
                    continue
                try:
                    wire.send(blank, {"spec": spec}, [given.fileno()])
                except ConnectionError:
                    continue
                return True
        return False

    def _leave(self) -> None:
        """In a child: what ends with the zygote must not be kept open here."""
        self._connection.close()
        for blank in self._blanks:
            blank.close()


def _share_more(connection: socket.socket, machine: Machine) -> None:
    """Rehearse until somebody waits or it is enough; then nothing here is ever looked at by a collector again."""
    for _ in range(warmup.ROUNDS):
        if select.select([connection], [], [], 0)[0]:
            break
        warmup.rehearse(machine)
    gc.collect()
    gc.freeze()
