"""What the daemon knows of each sandbox and container, in memory and on disk.

    sandboxes/<id>/config.json     what was asked for and decided once; synced to disk before the call is answered
    sandboxes/<id>/state.json      what changes; not synced, since the shim or the boot id tells it again
    sandboxes/<id>/{hostname,hosts,resolv.conf}
    containers/<id>/config.json, state.json, upper/, work/

A sandbox without a state file, or in the state "creating", was never handed out: it is destroyed at the next start.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from cri_api.v1 import api_pb2 as cri
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from sampan_runtime.cri.errors import InvalidArgument, NotFound
from sampan_runtime.shim.client import Shim
from sampan_runtime.statefiles import read_json, write_json, write_new_json

_MIN_PREFIX = 4


class SandboxState(StrEnum):
    CREATING = "creating"
    READY = "ready"
    NOT_READY = "notready"


class ContainerState(StrEnum):
    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(slots=True, eq=False)
class Sandbox:
    id: str
    config: cri.PodSandboxConfig
    runtime_handler: str
    cgroup: str
    address: str
    """"" on the node's own network."""
    boot_id: str
    created_at: int
    state: SandboxState = SandboxState.CREATING
    shim: Shim | None = None
    stopping: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def host_network(self) -> bool:
        mode: int = self.config.linux.security_context.namespace_options.network
        return mode == cri.NODE

    @property
    def key(self) -> tuple[str, str, str, int]:
        metadata = self.config.metadata
        return metadata.name, metadata.namespace, metadata.uid, metadata.attempt


@dataclass(slots=True, eq=False)
class Container:
    id: str
    sandbox_id: str
    config: cri.ContainerConfig
    image_id: str
    image_ref: str
    image_name: str
    """As the user wrote it, completed: what status shows."""
    log_path: str
    cgroup: str
    stop_signal: int
    user: tuple[int, int, tuple[int, ...]]
    """uid, gid, supplemental gids."""
    created_at: int
    layers: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    cwd: str = "/"
    state: ContainerState = ContainerState.CREATING
    pid: int = 0
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    exited: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def finish(self, code: int, reason: str, message: str = "", finished_at: int = 0) -> None:
        self.state = ContainerState.EXITED
        self.pid = 0
        self.exit_code, self.reason, self.message = code, reason, message
        self.finished_at = finished_at or time.time_ns()
        self.exited.set()


Record = TypeVar("Record", Sandbox, Container)


class Records:
    """Both tables and their files. Writing is split in two because only the config is worth a sync."""

    def __init__(self, state_dir: Path) -> None:
        self._sandbox_root = state_dir / "sandboxes"
        self._container_root = state_dir / "containers"
        for folder in (self._sandbox_root, self._container_root):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.sandboxes: dict[str, Sandbox] = {}
        self.containers: dict[str, Container] = {}

    def sandbox_dir(self, id: str) -> Path:
        return self._sandbox_root / id

    def container_dir(self, id: str) -> Path:
        return self._container_root / id

    def sandbox(self, id: str) -> Sandbox:
        return _find(self.sandboxes, id, "pod sandbox")

    def container(self, id: str) -> Container:
        return _find(self.containers, id, "container")

    def containers_of(self, sandbox_id: str) -> list[Container]:
        return [container for container in self.containers.values() if container.sandbox_id == sandbox_id]

    async def save_new_sandbox(self, sandbox: Sandbox) -> None:
        record = {
            "id": sandbox.id,
            "config": _to_dict(sandbox.config),
            "runtime_handler": sandbox.runtime_handler,
            "cgroup": sandbox.cgroup,
            "address": sandbox.address,
            "boot_id": sandbox.boot_id,
            "created_at": sandbox.created_at,
        }
        await asyncio.to_thread(write_new_json, self.sandbox_dir(sandbox.id) / "config.json", record)

    def save_sandbox_state(self, sandbox: Sandbox) -> None:
        write_json(self.sandbox_dir(sandbox.id) / "state.json", {"state": sandbox.state})

    async def save_container_config(self, container: Container, *, new: bool = True) -> None:
        record = {
            "id": container.id,
            "sandbox_id": container.sandbox_id,
            "config": _to_dict(container.config),
            "image_id": container.image_id,
            "image_ref": container.image_ref,
            "image_name": container.image_name,
            "log_path": container.log_path,
            "cgroup": container.cgroup,
            "stop_signal": container.stop_signal,
            "user": container.user,
            "created_at": container.created_at,
            "layers": container.layers,
            "env": container.env,
            "cwd": container.cwd,
        }
        path = self.container_dir(container.id) / "config.json"
        if new:
            await asyncio.to_thread(write_new_json, path, record)
        else:
            await asyncio.to_thread(write_json, path, record, durable=True)

    def save_container_state(self, container: Container) -> None:
        names = ("state", "pid", "started_at", "finished_at", "exit_code", "reason", "message")
        record = {name: getattr(container, name) for name in names}
        folder = self.container_dir(container.id)
        if folder.is_dir():  # it may just have been removed
            write_json(folder / "state.json", record)

    def forget_sandbox(self, id: str) -> None:
        self.sandboxes.pop(id, None)
        shutil.rmtree(self.sandbox_dir(id), ignore_errors=True)

    def forget_container(self, id: str) -> None:
        """The record goes first: a half-removed writable layer is swept at the next start."""
        self.containers.pop(id, None)
        (self.container_dir(id) / "config.json").unlink(missing_ok=True)
        shutil.rmtree(self.container_dir(id), ignore_errors=True)

    def load(self) -> dict[str, str]:
        """Fills both tables from the disk; returns the unusable sandboxes, whose remains must be destroyed, with their
        cgroups as far as they are known."""
        broken = {}
        for id in os.listdir(self._sandbox_root):
            try:
                self.sandboxes[id] = self._read_sandbox(id)
            except (KeyError, TypeError, ValueError, ParseError):
                config = read_json(self.sandbox_dir(id) / "config.json")
                broken[id] = str(config.get("cgroup", "")) if isinstance(config, dict) else ""
        for id in os.listdir(self._container_root):
            try:
                self.containers[id] = self._read_container(id)
            except (KeyError, TypeError, ValueError, ParseError):
                shutil.rmtree(self.container_dir(id), ignore_errors=True)
        return broken

    def _read_sandbox(self, id: str) -> Sandbox:
        config, state = _read_pair(self.sandbox_dir(id))
        return Sandbox(
            id=config["id"],
            config=ParseDict(config["config"], cri.PodSandboxConfig(), ignore_unknown_fields=True),
            runtime_handler=config["runtime_handler"],
            cgroup=config["cgroup"],
            address=config["address"],
            boot_id=config["boot_id"],
            created_at=config["created_at"],
            state=SandboxState(state["state"]),
        )

    def _read_container(self, id: str) -> Container:
        config, state = _read_pair(self.container_dir(id))
        uid, gid, groups = config["user"]
        container = Container(
            id=config["id"],
            sandbox_id=config["sandbox_id"],
            config=ParseDict(config["config"], cri.ContainerConfig(), ignore_unknown_fields=True),
            image_id=config["image_id"],
            image_ref=config["image_ref"],
            image_name=config["image_name"],
            log_path=config["log_path"],
            cgroup=config["cgroup"],
            stop_signal=config["stop_signal"],
            user=(uid, gid, tuple(groups)),
            created_at=config["created_at"],
            layers=tuple(config["layers"]),
            env=tuple(config["env"]),
            cwd=config["cwd"],
            state=ContainerState(state["state"]),
            pid=state["pid"],
            started_at=state["started_at"],
            finished_at=state["finished_at"],
            exit_code=state["exit_code"],
            reason=state["reason"],
            message=state["message"],
        )
        if container.state == ContainerState.EXITED:
            container.exited.set()
        return container


def _find(table: Mapping[str, Record], id: str, kind: str) -> Record:
    """By id or by a prefix that only one has, as crictl users type them."""
    if not id:
        raise InvalidArgument(f"{kind} id is required")
    if id in table:
        return table[id]
    matches = [key for key in table if key.startswith(id)] if len(id) >= _MIN_PREFIX else []
    if len(matches) > 1:
        raise InvalidArgument(f"{kind} id {id!r} is not unique")
    if not matches:
        raise NotFound(f'an error occurred when try to find {kind} "{id}": not found')
    return table[matches[0]]


def _to_dict(message: Any) -> dict[str, Any]:
    result: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return result


def _read_pair(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    config, state = read_json(folder / "config.json"), read_json(folder / "state.json")
    if not isinstance(config, dict) or not isinstance(state, dict):
        raise ValueError(f"{folder}: no usable record")
    return config, state
