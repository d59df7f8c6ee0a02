"""Starting things: the sandbox with what must be there before it, and one container from image to running process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sampan_api.qos import qos_class

from sampan_agent import volumes
from sampan_agent.cgroups import pod_cgroup
from sampan_agent.cri_config import (
    ContainerInputs,
    container_config,
    hostname,
    log_directory,
    sandbox_config,
)
from sampan_agent.dns import pod_dns
from sampan_agent.env import build_env
from sampan_agent.errors import AgentError, ConfigError, CriError, ImageError, RuntimeDown, VolumeError
from sampan_agent.hooks import run_hook
from sampan_agent.images import ensure_image
from sampan_agent.memory import Failure, Memory, next_backoff
from sampan_agent.mounts import container_mounts, hosts_mount, message_mount, write_hosts
from sampan_agent.observed import Observed
from sampan_agent.payload import Sources
from sampan_agent.podspec import Container, Pod
from sampan_agent.resizing import pod_limits
from sampan_agent.sync import StartContainer

if TYPE_CHECKING:
    from sampan_agent.worker import Node

_FIRST_DELAY, _MAX_DELAY = 10.0, 300.0


class Starter:
    def __init__(self, node: Node, memory: Memory) -> None:
        self._node = node
        self._memory = memory
        self._volumes: dict[str, str] = {}
        self.may_give_way = False
        """True while what is under way can be abandoned: an image pull, a hook, not a call that makes things."""

    async def create_sandbox(self, pod: Pod, attempt: int) -> str:
        """The new sandbox's id. Raises AgentError, OSError."""
        self.may_give_way = False
        directory = self._node.settings.pods_dir / pod.uid
        self._volumes = await volumes.prepare(pod, directory, self._sources(pod))
        self._make_cgroup(pod)
        log_directory(self._node.settings.logs_dir, pod).mkdir(parents=True, exist_ok=True)
        return await self._node.cri.run_sandbox(self._sandbox_config(pod, attempt))

    def _sources(self, pod: Pod) -> Sources:
        return Sources(pod, self._node.read, self._node.tokens, self._node.facts)

    def _make_cgroup(self, pod: Pod) -> None:
        settings = self._node.settings
        path = pod_cgroup(settings.cgroup_root, qos_class(pod.spec), pod.uid)
        limits = pod_limits(pod.spec, self._node.facts, settings.pod_pids_limit)
        self._node.cgroups.make(path, limits)

    def _sandbox_config(self, pod: Pod, attempt: int) -> Any:
        settings = self._node.settings
        return sandbox_config(
            pod,
            attempt,
            node_name=settings.node_name,
            logs=settings.logs_dir,
            cgroup_parent=pod_cgroup(settings.cgroup_root, qos_class(pod.spec), pod.uid),
            dns=pod_dns(pod, self._node.cluster_dns, self._node.cluster_domain),
            seccomp_default=settings.seccomp_default,
        )

    async def start_container(self, pod: Pod, action: StartContainer, observed: Observed) -> str:
        """The new container's id, or "": failures are remembered with their waiting reason and a time to try again."""
        container = pod.container(action.name)
        assert container is not None
        try:
            container_id = await self._start(pod, container, action, observed)
            self._memory.failures.pop(container.name, None)
            return container_id
        except RuntimeDown:
            raise
        except ImageError as e:
            self._image_failed(pod, container, e)
        except VolumeError as e:
            self._emit(pod, container, "Warning", "FailedMount", str(e))
            self._failed(container, "ContainerCreating", str(e))
        except (ConfigError, AgentError, OSError) as e:
            reason = "RunContainerError" if isinstance(e, _StartError) else "CreateContainerError"
            if not isinstance(e, CriError | _StartError):
                reason = "CreateContainerConfigError"
            self._emit(pod, container, "Warning", "Failed", f"Error: {e}")
            self._failed(container, reason, str(e))
        finally:
            self.may_give_way = False
        return ""

    async def _start(self, pod: Pod, container: Container, action: StartContainer, observed: Observed) -> str:
        sandbox = observed.sandbox
        assert sandbox is not None
        node, directory = self._node, self._node.settings.pods_dir / pod.uid
        config_of_sandbox = self._sandbox_config(pod, sandbox.attempt)

        def emit(type_: str, reason: str, message: str) -> None:
            self._emit(pod, container, type_, reason, message)

        self.may_give_way = True
        image = await ensure_image(node.cri, pod, container, node.read, config_of_sandbox, emit)
        ips = (node.facts.ip,) if pod.host_network else sandbox.ips
        env = await build_env(pod, container, node.read, ips, node.facts)
        if not self._volumes and pod.spec.get("volumes"):
            self._volumes = await volumes.prepare(pod, directory, self._sources(pod))
        self.may_give_way = False
        message_file = directory / "containers" / container.name / f"{action.attempt}.message"
        mounts = container_mounts(pod, container, self._volumes, env, directory)
        mounts += self._own_mounts(pod, container, ips, directory, message_file)
        given = ContainerInputs(
            attempt=action.attempt,
            image=image,
            env=env,
            mounts=tuple(mounts),
            message_file=str(message_file),
            node=node.facts,
            seccomp_default=node.settings.seccomp_default,
            target_id=_target(container, observed),
        )
        config = container_config(pod, container, given)
        (log_directory(node.settings.logs_dir, pod) / container.name).mkdir(parents=True, exist_ok=True)
        container_id = await node.cri.create_container(sandbox.id, config, config_of_sandbox)
        emit("Normal", "Created", "Container created")
        await self._run(pod, container, action, container_id, emit)
        return container_id

    async def _run(self, pod: Pod, container: Container, action: StartContainer, container_id: str, emit: Any) -> None:
        now = self._node.clock.now()
        if action.after is not None:
            before = self._memory.backoffs.get(container.name)
            self._memory.backoffs[container.name] = next_backoff(before, action.after.attempt, now)
        try:
            await self._node.cri.start_container(container_id)
        except RuntimeDown:
            raise
        except CriError as e:
            raise _StartError(e.message) from e
        emit("Normal", "Started", "Container started")
        if hook := container.hook("postStart"):
            self.may_give_way = True
            failure = await run_hook(self._node, pod, container, container_id, hook, 60.0)
            if failure:
                emit("Warning", "FailedPostStartHook", f"PostStartHook failed: {failure}")
                self._memory.probe(container_id).unhealthy = f"FailedPostStartHook: {failure}"

    def _own_mounts(
        self, pod: Pod, container: Container, ips: tuple[str, ...], directory: Path, message_file: Path
    ) -> list[Any]:
        hosts = directory / "etc-hosts"
        if not hosts.exists():
            write_hosts(pod, hosts, hostname(pod, self._node.settings.node_name), ips)
        return [*hosts_mount(container, hosts), message_mount(container, message_file)]

    def _image_failed(self, pod: Pod, container: Container, error: ImageError) -> None:
        before = self._memory.failures.get(container.name)
        reason, message = error.reason, str(error)
        if reason == "ErrImagePull" and before is not None:
            reason = "ImagePullBackOff"
            message = f'Back-off pulling image "{container.image}": ErrImagePull: {error}'
            self._emit(pod, container, "Normal", "BackOff", f'Back-off pulling image "{container.image}"')
        self._failed(container, reason, message, image=True)

    def _failed(self, container: Container, reason: str, message: str, *, image: bool = False) -> None:
        before = self._memory.failures.get(container.name)
        first = _FIRST_DELAY if image else 2.0
        delay = min(before.delay * 2, _MAX_DELAY) if before else first
        retry_at = self._node.clock.now() + delay
        self._memory.failures[container.name] = Failure(reason, message, retry_at, delay)

    def _emit(self, pod: Pod, container: Container, type_: str, reason: str, message: str) -> None:
        self._node.reporter.event(pod, type_, reason, message, container.name)


def _target(container: Container, observed: Observed) -> str:
    """The id of the running container whose processes it shall see. Raises ConfigError."""
    if not container.target:
        return ""
    here = observed.latest(container.target)
    if here is None or not here.alive:
        raise ConfigError(f'unable to find target container "{container.target}"')
    return here.id


class _StartError(AgentError):
    """The container was made and its process could not be started."""
