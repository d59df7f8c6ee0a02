"""What a running pod needs now and then: its logs kept small."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sampan_agent.cri_config import log_directory
from sampan_agent.logrotate import log_size, rotate
from sampan_agent.podspec import Pod

if TYPE_CHECKING:
    from sampan_agent.worker import Node


async def rotate_logs(node: Node, pod: Pod) -> None:
    """Raises CriError. Asks the runtime only for pods that have a log over the limit."""
    settings = node.settings
    directory = log_directory(settings.logs_dir, pod)
    if not any(log_size(p) >= settings.log_max_bytes for p in directory.glob("*/*.log")):
        return
    for container in (await node.cri.observe(pod.uid)).running():
        if container.log_path:
            await rotate(
                Path(container.log_path),
                container.id,
                node.cri,
                now=node.clock.now(),
                max_bytes=settings.log_max_bytes,
                files=settings.log_files,
            )
