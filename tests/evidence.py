"""What a failed test shows beside its own output: the words of the processes it ran against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_sources: dict[str, Callable[[], str]] = {}


def add(name: str, tell: Callable[[], str]) -> None:
    """From now on a test that fails shows what `tell` says then."""
    _sources[name] = tell


def remove(name: str) -> None:
    _sources.pop(name, None)


def collected() -> list[tuple[str, str]]:
    """(name, text) of each source. One that cannot be asked says why: the failure of the test is what matters."""
    return [(name, _told(tell)) for name, tell in list(_sources.items())]


def _told(tell: Callable[[], str]) -> str:
    try:
        return tell()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def tail(path: Path, lines: int) -> str:
    """The end of a file under its name."""
    text = path.read_text(errors="replace").splitlines()
    return "\n".join([f"--- {path}, the last of {len(text)} lines", *text[-lines:]])
