"""What the runtime says is there, of one pod. Values only; `cri.py` fills them in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """Times are Unix seconds, 0 when not reached. `digest` is `Container.digest` at its creation."""

    id: str
    sandbox_id: str
    name: str
    attempt: int
    state: State
    created_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_id: str = ""
    digest: str = ""
    resources: str = ""
    """`Container.size` as it has it now; "" when that is not known."""
    log_path: str = ""
    message_path: str = ""
    """The host's file behind the termination message path."""

    @property
    def alive(self) -> bool:
        return self.state is State.RUNNING

    @property
    def finished(self) -> bool:
        return self.state in (State.EXITED, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ObservedSandbox:
    id: str
    attempt: int
    ready: bool
    created_at: float = 0.0
    ips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """Both newest first."""

    sandboxes: tuple[ObservedSandbox, ...] = ()
    containers: tuple[ObservedContainer, ...] = ()

    @property
    def sandbox(self) -> ObservedSandbox | None:
        return self.sandboxes[0] if self.sandboxes else None

    def latest(self, name: str) -> ObservedContainer | None:
        return next((c for c in self.containers if c.name == name), None)

    def previous(self, name: str) -> ObservedContainer | None:
        """The newest finished container of that name that is not the latest."""
        of_name = [c for c in self.containers if c.name == name]
        return next((c for c in of_name[1:] if c.finished), None)

    def with_sandbox(self, sandbox: ObservedSandbox) -> Observed:
        """What is seen after this newest sandbox was made."""
        return Observed((sandbox, *self.sandboxes), self.containers)

    def with_container(self, container: ObservedContainer) -> Observed:
        """What is seen after this newest container was started."""
        return Observed(self.sandboxes, (container, *(c for c in self.containers if c.id != container.id)))

    def running(self) -> list[ObservedContainer]:
        return [c for c in self.containers if c.alive]
