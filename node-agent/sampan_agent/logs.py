"""Container logs in CRI format: `<RFC 3339 nano> <stdout|stderr> <P|F> <text>`, a file per attempt, rotated beside it.

Reading yields the bytes `kubectl logs` prints. Following survives rotation (another file has the name: read the
rest of the old, go on with the new) and ends when the container has ended and nothing is left to read.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sampan_api.clock import Clock, parse_time

_POLL_SECONDS = 0.1
_BATCH = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogOptions:
    """`since` in Unix seconds; None: not asked for."""

    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float | None = None
    limit: int | None = None

    @classmethod
    def of(cls, parameters: dict[str, Any], now: float) -> LogOptions:
        since = parse_time(parameters["sinceTime"]) if parameters.get("sinceTime") else None
        if parameters.get("sinceSeconds") is not None:
            since = now - parameters["sinceSeconds"]
        return cls(
            follow=bool(parameters.get("follow")),
            timestamps=bool(parameters.get("timestamps")),
            tail=parameters.get("tailLines"),
            since=since,
            limit=parameters.get("limitBytes"),
        )


@dataclass(slots=True)
class _Printer:
    """Turns CRI lines into output; keeps count of `limitBytes`. A timestamp is printed where a full line begins."""

    options: LogOptions
    left: int | None
    mid_line: bool = False

    def print(self, line: bytes) -> bytes:
        stamp, _, rest = line.partition(b" ")
        _, _, rest = rest.partition(b" ")
        tag, _, text = rest.partition(b" ")
        if not tag:
            return b""
        if self.options.since is not None and _seconds(stamp) < self.options.since:
            return b""
        partial = tag.startswith(b"P")
        text = text.removesuffix(b"\n")
        output = text if partial else text + b"\n"
        if self.options.timestamps and not self.mid_line:
            output = stamp + b" " + output
        self.mid_line = partial
        if self.left is not None:
            output = output[: self.left]
            self.left -= len(output)
        return output

    @property
    def full(self) -> bool:
        return self.left is not None and self.left <= 0


def _seconds(stamp: bytes) -> float:
    try:
        return parse_time(stamp.decode())
    except ValueError:
        return 0.0


def log_files(path: Path) -> list[Path]:
    """The rotated files of a log and the log itself, oldest first."""
    try:
        rotated = sorted(p for p in path.parent.iterdir() if p.name.startswith(f"{path.name}."))
    except OSError:
        return []
    return [*rotated, path] if path.exists() else rotated


def _lines(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        try:
            with path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            continue


def _tail(files: list[Path], count: int) -> Iterator[bytes]:
    """The CRI lines of the last `count` full lines."""
    kept: deque[list[bytes]] = deque(maxlen=max(count, 0))
    current: list[bytes] = []
    for line in _lines(files):
        current.append(line)
        if b" P " not in line[:64]:
            kept.append(current)
            current = []
    if current and count > 0:
        kept.append(current)
    for group in kept:
        yield from group


async def read_log(
    path: Path, options: LogOptions, ended: Callable[[], Awaitable[bool]], clock: Clock
) -> AsyncIterator[bytes]:
    """`ended` says whether the container has: asked only when there is nothing left to read."""
    printer = _Printer(options, options.limit)
    with _Opened(path) as current:
        rotated = [f for f in log_files(path) if f != path]
        before = _tail_all(rotated, current, options)
        batch = b""
        for line in before:
            batch += printer.print(line)
            if len(batch) >= _BATCH or printer.full:
                yield batch
                batch = b""
            if printer.full:
                return
        if batch:
            yield batch
        if not options.follow:
            return
        async for chunk in _follow(current, printer, ended, clock):
            yield chunk


def _tail_all(rotated: list[Path], current: _Opened, options: LogOptions) -> Iterator[bytes]:
    if options.tail is None:
        yield from _lines(rotated)
        yield from current.complete_lines()
        return
    kept: deque[list[bytes]] = deque(maxlen=max(options.tail, 0))
    group: list[bytes] = []
    for source in (_lines(rotated), current.complete_lines()):
        for line in source:
            group.append(line)
            if b" P " not in line[:64]:
                kept.append(group)
                group = []
    for lines in [*kept, group]:
        yield from lines


async def _follow(
    current: _Opened, printer: _Printer, ended: Callable[[], Awaitable[bool]], clock: Clock
) -> AsyncIterator[bytes]:
    last_look = False
    while True:
        batch = b"".join(printer.print(line) for line in current.complete_lines())
        if batch:
            yield batch
        if printer.full:
            return
        if batch:
            continue
        if current.rotate():
            continue
        if last_look:
            return
        # Once it has ended, what it wrote last may not have been seen yet: one more look.
        last_look = await ended()
        if not last_look:
            await clock.sleep(_POLL_SECONDS)


class _Opened:
    """The current file of a log: hands out complete lines, and moves on to the next file after a rotation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def __enter__(self) -> _Opened:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def _open(self) -> None:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            self._file = None

    def complete_lines(self) -> Iterator[bytes]:
        if self._file is None:
            self._open()
        while self._file is not None and (data := self._file.read(_BATCH)):
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            for line in lines:
                yield line + b"\n"

    def rotate(self) -> bool:
        """True when another file has taken the name and this one is read to its end."""
        if self._file is None:
            return False
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return False
        here = os.fstat(self._file.fileno())
        if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino) or self._file.tell() < here.st_size:
            return False
        self._file.close()
        self._rest = b""
        self._open()
        return True


def tail_text(path: Path, lines: int, limit: int) -> str:
    """The last lines of a finished container's log, as text: for its termination message."""
    printer = _Printer(LogOptions(), None)
    text = b"".join(printer.print(line) for line in _tail([path], lines))
    return text[-limit:].decode(errors="replace")
