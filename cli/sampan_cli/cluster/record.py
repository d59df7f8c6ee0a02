"""The cluster's record on disk: its plan and its phase, and the identity of each of its processes.

`/var/lib/sampan/<cluster>/cluster.json` is written before anything is created, and removed after everything is gone.
`components.json` beside it lists the processes that the supervisor keeps alive.
`/var/lib/sampan/<cluster>/processes/<name>.json` is written by each process itself, before it begins its work.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from sampan_cli.cluster import plan as plans
from sampan_cli.cluster.identity import Identity, read, write_atomically
from sampan_cli.cluster.plan import Component, Plan
from sampan_cli.cluster.settings import RUN_ROOT, STATE_ROOT

SUPERVISOR = "supervisor"
GUARDIAN = "guardian"


class Phase(StrEnum):
    UP = "up"
    DOWN = "down"
    """Being taken down: neither supervisor nor guardian may start anything."""


def record_path(cluster: str) -> Path:
    return STATE_ROOT / cluster / "cluster.json"


def process_path(cluster: str, name: str) -> Path:
    return STATE_ROOT / cluster / "processes" / f"{name}.json"


def save(plan: Plan, phase: Phase) -> None:
    path = record_path(plan.settings.cluster)
    (path.parent / "processes").mkdir(parents=True, exist_ok=True)
    data = {"phase": phase.value, "plan": plans.to_json(plan)}
    write_atomically(path, json.dumps(data, indent=1) + "\n", durable=True)


def load(cluster: str) -> tuple[Plan, Phase] | None:
    try:
        data = json.loads(record_path(cluster).read_text())
    except FileNotFoundError:
        return None
    return plans.from_json(data["plan"]), Phase(data["phase"])


def save_components(cluster: str, parts: Sequence[Component]) -> None:
    path = record_path(cluster).with_name("components.json")
    write_atomically(path, json.dumps([asdict(part) for part in parts], indent=1) + "\n", durable=True)


def load_components(cluster: str) -> tuple[Component, ...]:
    """Nothing, if `up` was interrupted before it wrote them."""
    try:
        entries = json.loads(record_path(cluster).with_name("components.json").read_text())
    except FileNotFoundError:
        return ()
    return tuple(Component(**{**e, "argv": tuple(e["argv"]), "after": tuple(e["after"])}) for e in entries)


def clusters() -> list[str]:
    return sorted(path.parent.name for path in STATE_ROOT.glob("*/cluster.json"))


def process(cluster: str, name: str) -> Identity | None:
    """The recorded process of that name, if it is alive."""
    identity = read(process_path(cluster, name))
    return identity if identity is not None and identity.alive() else None


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Held by one `up` or `down` at a time. The file goes with its last holder, so nothing is left behind."""
    path = RUN_ROOT / f".{name}.lock"
    fd = _lock(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(fd)
        with contextlib.suppress(OSError):
            RUN_ROOT.rmdir()


def _lock(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            if os.stat(path).st_ino == os.fstat(fd).st_ino:
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)
