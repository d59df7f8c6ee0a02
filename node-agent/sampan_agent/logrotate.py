"""Keeping logs small: a log over the limit is renamed with the time, the runtime opens a new one, the oldest go."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from sampan_agent.cri import Cri
from sampan_agent.errors import CriError
from sampan_agent.logs import log_files


async def rotate(path: Path, container_id: str, cri: Cri, *, now: float, max_bytes: int, files: int) -> bool:
    """True when the log was rotated. Raises CriError; then the old file has its name again."""
    if log_size(path) < max_bytes:
        return False
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S.%f")
    moved = path.with_name(f"{path.name}.{stamp}")
    os.rename(path, moved)
    try:
        await cri.reopen_log(container_id)
    except CriError:
        _move_back(moved, path)
        raise
    rotated = [p for p in log_files(path) if p != path]
    for old in rotated[: max(0, len(rotated) - (files - 1))]:
        old.unlink(missing_ok=True)
    return True


def log_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _move_back(moved: Path, path: Path) -> None:
    if not path.exists():
        os.rename(moved, path)
