"""Messages between daemon, zygote and shim: one JSON object per SEQPACKET packet, with file descriptors beside it.

A request carries `op` and `seq`; its answer the same `seq` and either `ok` or `error`. A message without `seq` is an
event. The protocol is add-only: a reader ignores keys it does not know. A packet larger than the socket's
buffer would be refused by the kernel, so large messages travel in a memfd, as the last descriptor.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

VERSION = 1
MAX_INLINE = 60_000
MAX_DESCRIPTORS = 16
Message = dict[str, Any]


def send(sock: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Raises BlockingIOError when a non-blocking socket is full, ConnectionError when the peer is gone."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) <= MAX_INLINE:
        _send_packet(sock, data, fds)
        return
    memory = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(data)
        _send_packet(sock, b"\0", (*fds, memory))
    finally:
        os.close(memory)


def _send_packet(sock: socket.socket, data: bytes, fds: Sequence[int]) -> None:
    ancillary = []
    if fds:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
    sock.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)


def receive(sock: socket.socket) -> tuple[Message, list[int]] | None:
    """None is the end of the connection. The caller owns the descriptors."""
    try:
        data, ancillary, _, _ = sock.recvmsg(
            MAX_INLINE + 1, socket.CMSG_SPACE(MAX_DESCRIPTORS * 4), socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:
        return None
    fds: list[int] = []
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.extend(struct.unpack(f"{len(payload) // 4}i", payload[: len(payload) // 4 * 4]))
    if not data:
        return None
    if data == b"\0":
        with open(fds.pop(), "rb") as file:
            file.seek(0)
            data = file.read()
    message: Message = json.loads(data)
    return message, fds
