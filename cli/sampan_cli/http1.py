"""HTTP/1.1 (RFC 9112) over one socket, as much as a client of the API server needs.

The standard library's client imports the whole of `email` to read headers: a third of the time that `sampan get` may
take. Here a request is written at once, an answer is framed by its length, by chunks or by the end of the connection,
and a connection serves one request after the other.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator, Mapping

MAX_LINE = 64 * 1024
MAX_HEADERS = 200
CHUNK = 64 * 1024


class ProtocolError(Exception):
    """What came is not HTTP, or less than was announced."""


class Disconnected(ProtocolError):
    """The connection ended before the first byte of an answer: the request may not have been seen."""


class Connection:
    """An answer must be read to its end before the next request."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._file = sock.makefile("rb")

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if body is not None:
            head.append(f"Content-Length: {len(body)}")
        try:
            self._socket.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + (body or b""))
        except BrokenPipeError as error:
            raise Disconnected("EOF") from error
        return Answer(self._file)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class Answer:
    """`headers` has the names in lower case; `closes` says that its connection serves no further request."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        status_line = _status_line(file)
        while (status := _status(status_line)) == 100:
            _headers(file)
            status_line = _line(file)
        self.status = status
        self.headers = _headers(file)
        self._chunked = "chunked" in self._last("transfer-encoding").lower()
        length = self._last("content-length")
        self._left: int | None = None
        """Bytes to come of the body (of its present chunk); None = until the connection ends."""
        if status in (204, 304) or self._chunked:
            self._left = 0
        elif length:
            self._left = _number(length, 10)
        unframed = self._left is None
        self.closes = unframed or self._last("connection").lower() == "close" or status_line.startswith(b"HTTP/1.0")

    def _last(self, name: str) -> str:
        return self.headers.get(name, [""])[-1]

    def read(self) -> bytes:
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """The body as it comes, each part at once. Raises ProtocolError if it breaks off."""
        while self._chunked or self._left is None or self._left:
            if self._chunked and not self._left:
                self._left = _number(_line(self._file).split(b";")[0].decode("latin-1"), 16)
                if not self._left:
                    self._chunked = False
                    _headers(self._file)
                    return
            part = self._file.read1(CHUNK if self._left is None else min(CHUNK, self._left))
            if part:
                yield part
            if self._left is None:
                if not part:
                    return
                continue
            if not part:
                raise ProtocolError("unexpected EOF")
            self._left -= len(part)
            if self._chunked and not self._left:
                _line(self._file)

    def lines(self) -> Iterator[bytes]:
        rest = b""
        for part in self.parts():
            *whole, rest = (rest + part).split(b"\n")
            yield from whole
        if rest:
            yield rest


def _line(file: io.BufferedReader) -> bytes:
    line = file.readline(MAX_LINE)
    if not line.endswith(b"\n"):
        raise ProtocolError("unexpected EOF" if len(line) < MAX_LINE else "a line of the answer is too long")
    return line.rstrip(b"\r\n")


def _status_line(file: io.BufferedReader) -> bytes:
    try:
        first = file.peek(1)
    except ConnectionResetError as error:
        raise Disconnected(str(error)) from error
    if not first:
        raise Disconnected("EOF")
    return _line(file)


def _status(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ProtocolError(f"malformed HTTP response {line[:64].decode('latin-1')!r}")
    return int(rest[:3])


def _headers(file: io.BufferedReader) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for _ in range(MAX_HEADERS):
        line = _line(file)
        if not line:
            return found
        name, _, value = line.decode("latin-1").partition(":")
        found.setdefault(name.lower(), []).append(value.strip())
    raise ProtocolError("the answer has too many headers")


def _number(text: str, base: int) -> int:
    try:
        return int(text, base)
    except ValueError as error:
        raise ProtocolError(f"malformed length {text[:64]!r} in the HTTP response") from error
