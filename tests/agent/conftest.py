from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sampan_agent.cgroups import Cgroups
from sampan_agent.cri import Cri
from sampan_agent.env import NodeFacts
from sampan_agent.errors import ObjectUnavailable
from sampan_agent.settings import Settings
from sampan_agent.testing.fake_runtime import FakeRuntime
from sampan_agent.tokens import Token, Tokens
from sampan_agent.worker import Node, PodWorker
from sampan_api.clock import RealClock

sys.path.insert(0, str(Path(__file__).parent))


@dataclass
class Recorder:
    """What workers reported, newest last."""

    statuses: list[tuple[dict[str, Any], bool]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)

    def pod_status(self, pod, status, *, terminated):
        self.statuses.append((status, terminated))

    def event(self, pod, type_, reason, message, container=""):
        self.events.append((reason, message))

    @property
    def last(self) -> dict[str, Any]:
        return self.statuses[-1][0] if self.statuses else {}

    @property
    def terminated(self) -> bool:
        return bool(self.statuses) and self.statuses[-1][1]


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[FakeRuntime]:
    fake = FakeRuntime(tmp_path / "cri.sock")
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
def settings(tmp_path: Path, runtime: FakeRuntime) -> Settings:
    return Settings(
        node_name="n1",
        join=tmp_path / "join.json",
        data_dir=tmp_path / "agent",
        run_dir=tmp_path,
        runtime_endpoint=runtime.endpoint,
        node_ip="127.0.0.1",
        cgroup_root="/sampan-test",
        labels={},
        taints=(),
    )


@dataclass
class World:
    """A node with a fake runtime, and workers made by hand."""

    node: Node
    runtime: FakeRuntime
    recorder: Recorder
    objects: dict[tuple[str, str], dict[str, Any]]
    workers: list[PodWorker] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def start(self, pod) -> PodWorker:
        worker = PodWorker(pod, self.node, self.gone.append)
        self.workers.append(worker)
        worker.start()
        return worker

    def exit(self, name: str, code: int = 0) -> None:
        self.runtime.exit(name, code)
        for worker in self.workers:
            worker.wake()


@pytest.fixture
async def world(tmp_path: Path, runtime: FakeRuntime, settings: Settings) -> AsyncIterator[World]:
    objects: dict[tuple[str, str], dict[str, Any]] = {}

    async def read(kind, namespace, name):
        if (kind, name) not in objects:
            raise ObjectUnavailable(f'{kind.lower()} "{name}" not found', missing=True)
        return objects[kind, name]

    async def token(wanted):
        return Token(f"token for {wanted.audience}", time.time() + wanted.seconds)

    (tmp_path / "cgroup").mkdir()
    settings.pods_dir.mkdir(parents=True)
    cri, recorder = Cri(runtime.endpoint), Recorder()
    facts = NodeFacts("n1", "127.0.0.1", 2000, 1 << 30)
    node = Node(
        settings, cri, RealClock(), Cgroups(tmp_path / "cgroup"), recorder, read, Tokens(token, RealClock()), facts
    )
    world = World(node, runtime, recorder, objects)
    yield world
    for worker in world.workers:
        await worker.stop()
    await cri.close()
