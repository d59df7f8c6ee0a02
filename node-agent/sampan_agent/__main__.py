"""`python -m sampan_agent`: joins the cluster and runs the pods bound to this node until SIGTERM."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys

from sampan_api.clock import RealClock

from sampan_agent.agent import Agent
from sampan_agent.cri import Cri
from sampan_agent.join import identity
from sampan_agent.link import Link
from sampan_agent.settings import Settings, parse

_log = logging.getLogger("sampan_agent")


def main(argv: list[str] | None = None) -> int:
    settings = parse(argv)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname).1s %(name)s: %(message)s"
    )
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(settings.data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _log.error("another agent uses %s", settings.data_dir)
        return 1
    asyncio.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    work = asyncio.create_task(_work(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        _log.info("stopping; the pods go on")


async def _work(settings: Settings) -> None:
    cri = Cri(settings.runtime_endpoint)
    try:
        link = Link(settings.node_name, await identity(settings))
        await Agent(settings, cri, link, RealClock()).run()
    finally:
        await cri.close()


if __name__ == "__main__":
    sys.exit(main())
