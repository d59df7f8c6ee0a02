"""Keeping logs small: a log over the limit is renamed with the time, the runtime opens a new one, the oldest go."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from sampan_agent.cri import Cri
from sampan_agent.errors import CriError


async def rotate(path: Path, container_id: str, cri: Cri, *, now: float, max_bytes: int, files: int) -> bool:
    """True when the log was rotated. Raises CriError; then the old file has its name again."""
    try:
        if path.stat().st_size < max_bytes:
            return False
    except FileNotFoundError:
        return False
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S.%f")
    moved = path.with_name(f"{path.name}.{stamp}")
    os.rename(path, moved)
    try:
        await cri.reopen_log(container_id)
    except CriError:
        if not path.exists():
            os.rename(moved, path)
        raise
    rotated = sorted(p for p in path.parent.iterdir() if p.name.startswith(f"{path.name}."))
    for old in rotated[: max(0, len(rotated) - (files - 1))]:
        old.unlink(missing_ok=True)
    return True
