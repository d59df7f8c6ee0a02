"""A pod's status as the kubelet words it, from what is observed and decided. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan_api import gotext
from sampan_api.clock import rfc3339
from sampan_api.containers import mount_status
from sampan_api.qos import qos_class

from sampan_agent.memory import Memory
from sampan_agent.observed import Observed, ObservedContainer, State
from sampan_agent.podspec import Container, Pod, RestartPolicy, Role
from sampan_agent.sync import Decision, has_started

MESSAGE_LIMIT = 4096
LOG_LINES, LOG_LIMIT = 80, 2048


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a status says beside the runtime's word."""

    host_ip: str
    runtime_name: str
    now: float


def pod_status(pod: Pod, observed: Observed, memory: Memory, decision: Decision, here: Surroundings) -> dict[str, Any]:
    mains = [_container_status(pod, c, observed, memory, decision, here) for c in pod.main_containers]
    inits = [_container_status(pod, c, observed, memory, decision, here) for c in pod.init_containers]
    phase = _phase(pod, observed, memory, decision, inits)
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": _conditions(pod, observed, decision, phase, mains, inits, here)
        + _resize_conditions(decision, memory, here),
        "startTime": pod.status.get("startTime") or rfc3339(memory.since),
        "qosClass": qos_class(pod.spec),
    }
    if "generation" in pod.metadata:
        status["observedGeneration"] = pod.metadata["generation"]
    if here.host_ip:
        status["hostIP"], status["hostIPs"] = here.host_ip, [{"ip": here.host_ip}]
    if ips := pod_ips(pod, observed, here.host_ip):
        status["podIP"], status["podIPs"] = ips[0], [{"ip": ip} for ip in ips]
    ephemerals = [_container_status(pod, c, observed, memory, decision, here) for c in pod.ephemeral_containers]
    if ephemerals:
        status["ephemeralContainerStatuses"] = ephemerals
    if inits:
        status["initContainerStatuses"] = inits
    status["containerStatuses"] = mains
    if decision.deadline_exceeded or (phase == "Failed" and pod.status.get("reason") == "DeadlineExceeded"):
        status["reason"] = "DeadlineExceeded"
        status["message"] = "Pod was active on the node longer than the specified deadline"
    return status


def pod_ips(pod: Pod, observed: Observed, host_ip: str) -> tuple[str, ...]:
    if pod.host_network:
        return (host_ip,) if host_ip and observed.sandbox else ()
    sandbox = observed.sandbox
    return sandbox.ips if sandbox else ()


def _phase(pod: Pod, observed: Observed, memory: Memory, decision: Decision, inits: list[dict[str, Any]]) -> str:
    if pod.ended:
        return str(pod.status["phase"])
    if decision.deadline_exceeded:
        return "Failed"
    ends = [observed.latest(c.name) for c in pod.main_containers]
    if decision.ended and not observed.running():
        if all(e and e.finished and e.exit_code == 0 and e.state is State.EXITED for e in ends):
            return "Succeeded"
        if pod.deleting and pod.restart_policy is RestartPolicy.ALWAYS and not any(ends):
            return "Pending"
        return "Failed"
    if any(end is not None and end.state is not State.CREATED for end in ends):
        return "Running"
    return "Pending"


def _container_status(
    pod: Pod,
    container: Container,
    observed: Observed,
    memory: Memory,
    decision: Decision,
    here: Surroundings,
) -> dict[str, Any]:
    latest = observed.latest(container.name)
    previous = observed.previous(container.name)
    status: dict[str, Any] = {
        "name": container.name,
        "state": _state(pod, container, latest, memory, decision, here),
        "lastState": {},
        "ready": _ready(container, latest, memory),
        "restartCount": latest.attempt if latest else 0,
        "image": (latest.image if latest else "") or container.image,
        "imageID": latest.image_id if latest else "",
    }
    if "waiting" in status["state"] and latest is not None and latest.finished:
        status["lastState"] = {"terminated": terminated(pod, container, latest, here)}
    elif previous is not None:
        status["lastState"] = {"terminated": terminated(pod, container, previous, here)}
    if latest is not None:
        status["containerID"] = f"{here.runtime_name}://{latest.id}"
    if container.role is not Role.EPHEMERAL:
        status["started"] = bool(latest and has_started(container, latest, memory))
    if latest is not None:
        status.update(_as_given(container, latest))
    return status


def _as_given(container: Container, latest: ObservedContainer) -> dict[str, Any]:
    """What the node has granted: resources, as they are in force, and mounts."""
    granted: dict[str, Any] = {}
    if resources := json.loads(latest.resources or container.size):
        granted["resources"] = resources
        if requests := resources.get("requests"):
            granted["allocatedResources"] = requests
    if mounts := container.raw.get("volumeMounts"):
        granted["volumeMounts"] = [mount_status(m) for m in mounts]
    return granted


def _state(
    pod: Pod,
    container: Container,
    latest: ObservedContainer | None,
    memory: Memory,
    decision: Decision,
    here: Surroundings,
) -> dict[str, Any]:
    if latest is not None and latest.alive:
        return {"running": {"startedAt": rfc3339(latest.started_at)}}
    failure = memory.failures.get(container.name)
    if failure and not decision.ended and (latest is None or not latest.finished or failure.reason != ""):
        return {"waiting": {"reason": failure.reason, "message": failure.message}}
    if latest is not None and latest.finished:
        if container.name in decision.crash_looping and not decision.ended:
            delay = gotext.duration(decision.crash_looping[container.name])
            message = f"back-off {delay} restarting failed container={container.name} pod={pod.full_name}"
            return {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        return {"terminated": terminated(pod, container, latest, here)}
    waits_for_init = container.role is Role.MAIN and pod.init_containers and not decision.initialized
    reason = "PodInitializing" if waits_for_init or container.role in (Role.INIT, Role.SIDECAR) else "ContainerCreating"
    return {"waiting": {"reason": reason}}


def terminated(pod: Pod, container: Container, end: ObservedContainer, here: Surroundings) -> dict[str, Any]:
    if end.state is State.UNKNOWN:
        message = "The container could not be located when the pod was terminated"
        state = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": message}
    else:
        state = {"exitCode": end.exit_code, "reason": end.reason or _reason(end.exit_code)}
        if message := end.message or termination_message(container, end):
            state["message"] = message
    # metav1.Time has no zero worth printing: a container that never started has null times.
    state["startedAt"] = rfc3339(end.started_at) if end.started_at else None
    state["finishedAt"] = rfc3339(end.finished_at) if end.finished_at else None
    state["containerID"] = f"{here.runtime_name}://{end.id}"
    return state


def _reason(exit_code: int) -> str:
    return "Completed" if exit_code == 0 else "Error"


def termination_message(container: Container, end: ObservedContainer) -> str:
    """What the container left in its termination message file, or, if it asks for that, the end of its log."""
    text = ""
    if end.message_path:
        text = _head(Path(end.message_path), MESSAGE_LIMIT)
    wants_log = container.raw.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    if not text and wants_log and end.exit_code != 0 and end.log_path:
        from sampan_agent.logs import tail_text

        text = tail_text(Path(end.log_path), LOG_LINES, LOG_LIMIT)
    return text


def _head(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""


def _ready(container: Container, latest: ObservedContainer | None, memory: Memory) -> bool:
    if latest is None or container.role is Role.EPHEMERAL:
        return False
    if container.role is Role.INIT:
        return latest.state is State.EXITED and latest.exit_code == 0
    if not has_started(container, latest, memory):
        return False
    if container.probe("readiness") is None:
        return True
    probe = memory.probes.get(latest.id)
    return bool(probe and probe.ready)


def _conditions(
    pod: Pod,
    observed: Observed,
    decision: Decision,
    phase: str,
    mains: list[dict[str, Any]],
    inits: list[dict[str, Any]],
    here: Surroundings,
) -> list[dict[str, Any]]:
    if phase == "Succeeded":
        over = ("PodCompleted", "")
    elif phase == "Failed":
        over = ("PodFailed", "")
    else:
        over = ("", "")
    sidecars = [s for s, c in zip(inits, pod.init_containers, strict=True) if c.role is Role.SIDECAR]
    unready = [s["name"] for s in [*sidecars, *mains] if not s["ready"]]
    uninitialized = [] if decision.initialized else [s["name"] for s in inits if not s["ready"]]
    containers = _verdict(unready, over, "ContainersNotReady", "containers with unready status: ")
    if phase == "Succeeded":
        initialized = ("True", "PodCompleted", "")
    else:
        initialized = _verdict(
            uninitialized, ("", ""), "ContainersNotInitialized", "containers with incomplete status: "
        )
    gates = [g["conditionType"] for g in pod.spec.get("readinessGates") or []]
    held = {c["type"]: c.get("status") for c in pod.status.get("conditions") or []}
    failing = [g for g in gates if held.get(g) != "True"]
    ready = containers
    if containers[0] == "True" and failing:
        message = "; ".join(
            f'the status of pod readiness gate "{g}" is not "True", but {held.get(g, "False")}' for g in failing
        )
        ready = ("False", "ReadinessGatesNotReady", message)
    up = bool(observed.sandbox and observed.sandbox.ready)
    return [
        _condition("PodReadyToStartContainers", "True" if up else "False", "", "", here),
        _condition("Initialized", *initialized, here),
        _condition("Ready", *ready, here),
        _condition("ContainersReady", *containers, here),
        _condition("PodScheduled", "True", "", "", here),
    ]


def _resize_conditions(decision: Decision, memory: Memory, here: Surroundings) -> list[dict[str, Any]]:
    """While a resize is not done: waiting for room, or under way, perhaps with what went wrong."""
    if not decision.resizing:
        return []
    if (pending := decision.resize_pending) is not None:
        return [_condition("PodResizePending", "True", pending.reason, pending.message, here)]
    failure = memory.resize_failure
    reason, message = (failure.reason, failure.message) if failure else ("", "")
    return [_condition("PodResizeInProgress", "True", reason, message, here)]


def _verdict(failing: list[str], over: tuple[str, str], reason: str, prefix: str) -> tuple[str, str, str]:
    if over[0]:
        return "False", *over
    if failing:
        return "False", reason, f"{prefix}[{' '.join(failing)}]"
    return "True", "", ""


def _condition(type_: str, status: str, reason: str, message: str, here: Surroundings) -> dict[str, Any]:
    condition: dict[str, Any] = {
        "type": type_,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(here.now),
    }
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition
