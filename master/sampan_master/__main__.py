"""`python -m sampan_master`: one process, one event loop, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import uvloop
from sampan_api.clock import RealClock
from sampan_api.collecting import collect_seldom

from sampan_master.data_dir import DirectoryInUse
from sampan_master.master import running
from sampan_master.scheduler import ConfigError
from sampan_master.settings import Settings, parse
from sampan_master.token_file import TokenFileError

log = logging.getLogger("sampan_master")


def main(argv: list[str] | None = None) -> int:
    settings = parse(argv)
    logging.basicConfig(
        level=logging.DEBUG if settings.verbose else logging.INFO,
        format="%(asctime)s %(levelname).1s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    collect_seldom()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings))


async def serve(settings: Settings) -> int:
    """Returns the process's exit code."""
    serving = asyncio.create_task(_serve(settings), name="master")
    for number in (signal.SIGTERM, signal.SIGINT):
        # Also while it waits for the store to appear; the parts that are up are taken down in order.
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        log.info("stopped")
    except (OSError, TokenFileError, DirectoryInUse, ConfigError) as error:
        log.error("cannot start: %s", error)
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    async with running(settings, RealClock()) as master:
        server = ", ".join(f"https://{address}" for address in master.api_addresses)
        print(f"sampan-master is ready: {server} (kubeconfig {settings.data_dir / 'admin.kubeconfig'})", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
