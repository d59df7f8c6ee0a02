"""`sampan-runtime`: the CRI daemon. `sampan-runtime images import FILE` puts images into its store beforehand."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import sys
from pathlib import Path

from sampan_runtime import bridge, settings
from sampan_runtime.cri import recovery, server
from sampan_runtime.cri.daemon import AlreadyRunning, Daemon, lock
from sampan_runtime.cri.errors import Unavailable
from sampan_runtime.errors import RuntimeFailure
from sampan_runtime.images.archive import import_archive, incoming
from sampan_runtime.images.builtin import ensure_busybox
from sampan_runtime.images.errors import ImageError
from sampan_runtime.images.store import ImageStore, StoredImage
from sampan_runtime.settings import Settings

log = logging.getLogger(__name__)
_GRACE_SECONDS = 1.0


async def run(configured: Settings) -> None:
    """Until SIGTERM or SIGINT. Containers go on: they belong to their shims."""
    daemon = Daemon(configured)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Before gRPC exists: the first zygote is started by a process that nothing else runs in yet.
    await daemon.zygote()
    cri_server = server.build(daemon)
    try:
        await _prepare(daemon)
        server.listen(cri_server, configured.socket_path)
        await cri_server.start()
        daemon.spawn(daemon.keep_zygote(), name="zygote")
        print(f"sampan-runtime: serving CRI on {configured.listen}", flush=True)
        await stop.wait()
    finally:
        daemon.events.close()
        await cri_server.stop(_GRACE_SECONDS)
        await daemon.streams.stop()
        await daemon.cancel_tasks()
        await daemon.stop_zygote()
        daemon.close()


async def _prepare(daemon: Daemon) -> None:
    bridge.ensure_loopback()
    await daemon.streams.start()
    if await asyncio.to_thread(ensure_busybox, daemon.images) is None:
        log.warning("no /bin/busybox: there is no built-in image (Debian package busybox-static)")
    try:
        await daemon.restore_network()
    except Unavailable as error:
        # Status says so, and the agent asks again with UpdateRuntimeConfig.
        log.error("%s", error)
    await recovery.recover(daemon)
    if daemon.pool is not None:
        daemon.pool.reconcile(daemon.records.sandboxes)
        await daemon.apply_rules()


def _images(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="sampan-runtime images")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("action", choices=["import", "list"])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--name", action="append", default=[], help="instead of the names in the file")
    arguments = parser.parse_args(argv)
    if arguments.action == "import" and arguments.file is None:
        parser.error("import needs a file")
    try:
        images = _import(arguments.state_dir, arguments.file, tuple(arguments.name))
    except (ImageError, OSError) as error:
        print(f"sampan-runtime: {error}", file=sys.stderr)
        return 1
    for image in images:
        print(image.id, *(image.tags or image.digests))
    return 0


def _import(state_dir: Path, file: Path | None, names: tuple[str, ...]) -> list[StoredImage]:
    """The store has one writer. While a daemon runs, the file is left for it, and it looks before it answers."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        held = lock(state_dir)
    except AlreadyRunning:
        store = ImageStore(state_dir / "images")
        if file is not None:
            if names:
                raise ImageError("--name needs the daemon to be stopped") from None
            _leave(file, incoming(store))
        return store.images()
    try:
        store = ImageStore(state_dir / "images")
        return import_archive(store, file, names) if file is not None else store.images()
    finally:
        os.close(held)


def _leave(file: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True, mode=0o700)
    scratch = folder / f".{file.name}.part"
    shutil.copyfile(file, scratch)
    scratch.rename(folder / f"{file.stem}.tar")
    print(f"{file}: left for the running daemon, which imports it when its images are asked for")


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["images"]:
        return _images(arguments[1:])
    configured = settings.parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(run(configured))
    except AlreadyRunning as error:
        print(f"sampan-runtime: {error}", file=sys.stderr)
        return 1
    except RuntimeFailure as error:
        print(f"sampan-runtime: {error}; see {configured.run_dir / 'zygote.log'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
