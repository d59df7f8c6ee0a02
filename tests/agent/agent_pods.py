"""Pods and observations in few words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sampan_agent.observed import Observed, ObservedContainer, ObservedSandbox, State
from sampan_agent.podspec import Pod


def pod(*containers: str | dict[str, Any], init: list[dict[str, Any]] | None = None, **spec: Any) -> Pod:
    """Containers by name, or as dicts; `metadata` and `status` may be given beside the spec's fields."""
    metadata, status = spec.pop("metadata", {}), spec.pop("status", {})
    given = [c if isinstance(c, dict) else {"name": c} for c in containers or ("c1",)]
    filled = [{"image": "busybox:1.35", **c} for c in given]
    inits = [{"image": "busybox:1.35", **c} for c in init or []]
    return Pod(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p1", "namespace": "default", "uid": "u1", **metadata},
            "spec": {"containers": filled, "initContainers": inits, "nodeName": "n1", **spec},
            "status": status,
        }
    )


def box(attempt: int = 0, *, ready: bool = True) -> ObservedSandbox:
    return ObservedSandbox(f"box{attempt}", attempt, ready, 1000.0, ("10.244.0.2",))


def running(name: str, attempt: int = 0, sandbox: int = 0, **more: Any) -> ObservedContainer:
    return _container(name, attempt, sandbox, State.RUNNING, started_at=1000.0, **more)


def exited(name: str, code: int = 0, attempt: int = 0, sandbox: int = 0, **more: Any) -> ObservedContainer:
    times = {"started_at": 1000.0, "finished_at": 1001.0, **more}
    return _container(name, attempt, sandbox, State.EXITED, exit_code=code, **times)


def _container(name: str, attempt: int, sandbox: int, state: State, **more: Any) -> ObservedContainer:
    return ObservedContainer(f"{name}-{attempt}", f"box{sandbox}", name, attempt, state, 1000.0 + attempt, **more)


def seen(*containers: ObservedContainer, sandboxes: tuple[ObservedSandbox, ...] = (box(),)) -> Observed:
    ordered = sorted(containers, key=lambda c: (c.attempt, c.created_at), reverse=True)
    return Observed(sandboxes, tuple(ordered))


async def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
