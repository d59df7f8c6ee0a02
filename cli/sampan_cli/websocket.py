"""The client side of RFC 6455, as much as exec needs: one handshake, binary messages, ping and close.

A library would bring an event loop or a thread; exec is one loop over two descriptors.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from dataclasses import dataclass

from sampan_cli.errors import CliError

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10
MAX_HEAD = 64 * 1024


class HandshakeRefused(Exception):
    """The server answered with something else than 101."""

    def __init__(self, code: int, body: bytes) -> None:
        super().__init__(code)
        self.code = code
        self.body = body


@dataclass(frozen=True)
class Message:
    opcode: int
    payload: bytes


def handshake(sock: socket.socket, target: str, host: str, protocol: str, headers: dict[str, str]) -> bytes:
    """Bytes that came right behind the answer. Raises HandshakeRefused."""
    key = base64.b64encode(os.urandom(16)).decode()
    fields = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": protocol,
        **headers,
    }
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    sock.sendall("\r\n".join(lines).encode())
    head, rest = _read_head(sock)
    status, answered = _parse_head(head)
    if status != 101:
        raise HandshakeRefused(status, _read_body(sock, rest, answered))
    expected = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    if answered.get("sec-websocket-accept") != expected:
        raise CliError("error: unable to upgrade connection: the server's WebSocket answer is wrong")
    return rest


def _read_head(sock: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk or len(data) > MAX_HEAD:
            raise CliError("error: unable to upgrade connection: the server closed it")
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _read_body(sock: socket.socket, rest: bytes, headers: dict[str, str]) -> bytes:
    length = int(headers.get("content-length", "0") or 0)
    body = rest
    while len(body) < length or "content-length" not in headers:
        chunk = sock.recv(65536)
        if not chunk:
            break
        body += chunk
    if headers.get("transfer-encoding", "").lower() == "chunked":
        start, end = body.find(b"{"), body.rfind(b"}")
        return body[start : end + 1] if start >= 0 else body
    return body


def frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """One masked, final frame."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
    elif length < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
    mask = os.urandom(4)
    return head + mask + _masked(payload, mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    length = len(payload)
    pattern = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(length, "big")


class Parser:
    """Feed bytes, get whole messages; fragments are joined (control frames may come between them)."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._parts: list[bytes] = []
        self._opcode = BINARY

    def feed(self, data: bytes) -> list[Message]:
        self._data += data
        messages = []
        while (taken := self._take()) is not None:
            final, opcode, payload = taken
            if opcode >= CLOSE:
                messages.append(Message(opcode, payload))
                continue
            if opcode:
                self._opcode, self._parts = opcode, []
            self._parts.append(payload)
            if final:
                messages.append(Message(self._opcode, b"".join(self._parts)))
                self._parts = []
        return messages

    def _take(self) -> tuple[bool, int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        length, start = data[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            start += size
            if len(data) < start:
                return None
            length = int.from_bytes(data[2:start], "big")
        mask = b""
        if data[1] & 0x80:
            mask = bytes(data[start : start + 4])
            start += 4
        if len(data) < start + length:
            return None
        payload = bytes(data[start : start + length])
        final, opcode = bool(data[0] & 0x80), data[0] & 0x0F
        del data[: start + length]
        return final, opcode, _masked(payload, mask) if mask else payload
