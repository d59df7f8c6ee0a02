"""A container's streams: CRI log lines, attached clients, standard input.

CRI's log format is `<RFC 3339 nanoseconds> <stream> <F|P> <text>`; a line longer than 16 KiB comes in parts tagged P.
An attached client that does not read holds the container up, as with the peers: nothing is dropped.
"""

from __future__ import annotations

import os
import time

PART = 16 * 1024
READ = 64 * 1024


def timestamp(nanoseconds: int) -> bytes:
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%09dZ" % fraction


class LogFile:
    """Opened for append, so that rotation by rename plus `reopen` loses nothing."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        self.reopen()

    def reopen(self) -> None:
        if not self._path:
            return
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self.close()
        self._fd = fd

    def write(self, data: bytes) -> None:
        while data and self._fd >= 0:
            try:
                data = data[os.write(self._fd, data) :]
            except OSError:
                # A full disk must not stop the container; the lines are lost, the next ones are tried again.
                return

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Lines:
    """Cuts one stream into log lines; keeps the unfinished one."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self._rest = b""

    def feed(self, data: bytes, now: int) -> bytes:
        full = b"%b %b F " % (timestamp(now), self.stream)
        partial = b"%b %b P " % (timestamp(now), self.stream)
        *lines, rest = (self._rest + data).split(b"\n")
        out = []
        for line in lines:
            while len(line) > PART:
                out += [partial, line[:PART], b"\n"]
                line = line[PART:]
            out += [full, line, b"\n"]
        while len(rest) >= PART:
            out += [partial, rest[:PART], b"\n"]
            rest = rest[PART:]
        self._rest = rest
        return b"".join(out)

    def end(self, now: int) -> bytes:
        rest, self._rest = self._rest, b""
        return b"%b %b F %b\n" % (timestamp(now), self.stream, rest) if rest else b""


class Sink:
    """A pipe to an attached client, with what it has not taken yet."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.pending = b""

    def write(self, data: bytes) -> bool:
        """False when the client is gone."""
        self.pending += data
        try:
            while self.pending:
                self.pending = self.pending[os.write(self.fd, self.pending) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True
