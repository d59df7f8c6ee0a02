"""A pod's status as a kubelet words it, from the pod and its life; and the way back, for who takes pods over. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from sampan_api import gotext
from sampan_api.clock import parse_time, rfc3339
from sampan_api.containers import mount_status
from sampan_api.meta import Object
from sampan_api.qos import qos_class

from sampan_sim.life import Life, Plan, Run, Stage, after_end, begin, resume
from sampan_sim.nodes import RUNTIME

_ID_DIGITS, _ORDINAL_DIGITS = 56, 8
_OUR_ID = re.compile(f"{RUNTIME}://[0-9a-f]{{{_ID_DIGITS}}}([0-9a-f]{{{_ORDINAL_DIGITS}}})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pod is. `pod_ip` "": it has none yet."""

    host_ip: str
    pod_ip: str
    ordinal: int = 0
    """Which pod of its generated name it is; container ids carry it, so that it is not lost when this process is."""


def pod_status(pod: Object, life: Life, place: Place, now: float) -> dict[str, Any]:
    """The whole status, but for what others write; conditions keep their transition times."""
    spec = pod["spec"]
    mains = [_container(pod, one, life, place) for one in spec["containers"]]
    inits = [_init_container(pod, one, life, place) for one in spec.get("initContainers") or []]
    phase = _phase(life)
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": _conditions(pod, life, phase, mains, inits, now),
        "startTime": rfc3339(life.begun),
        "qosClass": qos_class(spec),
        "hostIP": place.host_ip,
        "hostIPs": [{"ip": place.host_ip}],
        "containerStatuses": mains,
    }
    if "generation" in pod["metadata"]:
        status["observedGeneration"] = pod["metadata"]["generation"]
    ip = place.host_ip if spec.get("hostNetwork") else place.pod_ip
    if ip and life.run is not None:
        status["podIP"], status["podIPs"] = ip, [{"ip": ip}]
    if inits:
        status["initContainerStatuses"] = inits
    if life.overdue:
        status["reason"] = "DeadlineExceeded"
        status["message"] = "Pod was active on the node longer than the specified deadline"
    return status


def change(pod: Object, wanted: dict[str, Any]) -> dict[str, Any]:
    """The part of `wanted` that the pod does not say yet, as a strategic merge patch of its status."""
    current = pod.get("status") or {}
    changed = {field: value for field, value in wanted.items() if current.get(field) != value}
    if "conditions" in changed:
        known = {one["type"]: one for one in current.get("conditions") or []}
        news = [one for one in wanted["conditions"] if not _says(known.get(one["type"]), one)]
        changed["conditions"] = news
        if not news:
            del changed["conditions"]
    return changed


def _says(known: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    return known is not None and all(known.get(field) == value for field, value in wanted.items())


def _phase(life: Life) -> str:
    if life.over and (life.run is None or life.overdue):
        return "Failed"
    if life.over and life.run is not None:
        return "Failed" if life.run.exit_code else "Succeeded"
    return "Pending" if life.run is None else "Running"


def _container(pod: Object, container: dict[str, Any], life: Life, place: Place) -> dict[str, Any]:
    run = life.run
    status: dict[str, Any] = {"name": container["name"], "state": {}, "lastState": {}}
    if run is None:
        reason = "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"
        status["state"] = {"waiting": {"reason": reason}}
    elif life.stage is Stage.WAITING:
        status["state"] = {"waiting": _crash_loop(pod, container["name"], life)}
        status["lastState"] = {"terminated": _terminated(pod, container, run, place)}
    else:
        status["state"] = _state(pod, container, run, place)
        if life.before is not None:
            status["lastState"] = {"terminated": _terminated(pod, container, life.before, place)}
    status |= {"ready": life.ready and life.alive, "restartCount": life.attempt}
    status |= {"image": container.get("image", ""), "imageID": _image_id(container.get("image", "")) if run else ""}
    if run is not None:
        status["containerID"] = _container_id(pod, container["name"], run.attempt, place.ordinal)
    status["started"] = life.alive
    return status | (_granted(container) if run is not None else {})


def _init_container(pod: Object, container: dict[str, Any], life: Life, place: Place) -> dict[str, Any]:
    """Those that must end have done so when the pod starts; sidecars run until it is over."""
    name, sidecar = container["name"], container.get("restartPolicy") == "Always"
    status: dict[str, Any] = {"name": name, "state": {"waiting": {"reason": "PodInitializing"}}, "lastState": {}}
    status |= {"ready": False, "restartCount": 0, "image": container.get("image", ""), "imageID": "", "started": False}
    if life.run is None:
        return status
    if not sidecar:
        run = Run(0, life.begun, life.first_start, 0, "Completed")
        status |= {"state": _state(pod, container, run, place), "ready": True}
    else:
        up = not life.over
        run = Run(0, life.first_start, 0.0 if up else life.run.finished, 0, "" if up else "Completed")
        status |= {"state": _state(pod, container, run, place), "ready": up, "started": up}
    status["imageID"] = _image_id(container.get("image", ""))
    status["containerID"] = _container_id(pod, name, 0, place.ordinal)
    return status | _granted(container)


def _state(pod: Object, container: dict[str, Any], run: Run, place: Place) -> dict[str, Any]:
    if run.finished:
        return {"terminated": _terminated(pod, container, run, place)}
    return {"running": {"startedAt": rfc3339(run.started)}}


def _terminated(pod: Object, container: dict[str, Any], run: Run, place: Place) -> dict[str, Any]:
    return {
        "exitCode": run.exit_code,
        "reason": run.reason,
        "startedAt": rfc3339(run.started),
        "finishedAt": rfc3339(run.finished),
        "containerID": _container_id(pod, container["name"], run.attempt, place.ordinal),
    }


def _crash_loop(pod: Object, name: str, life: Life) -> dict[str, str]:
    metadata = pod["metadata"]
    whole = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
    message = f"back-off {gotext.duration(life.delay)} restarting failed container={name} pod={whole}"
    return {"reason": "CrashLoopBackOff", "message": message}


def _container_id(pod: Object, name: str, attempt: int, ordinal: int) -> str:
    digest = sha256(f"{pod['metadata']['uid']}/{name}/{attempt}".encode()).hexdigest()
    return f"{RUNTIME}://{digest[:_ID_DIGITS]}{ordinal:0{_ORDINAL_DIGITS}x}"


@lru_cache(maxsize=4096)
def _image_id(image: str) -> str:
    repository = image.partition("@")[0]
    head, colon, tag = repository.rpartition(":")
    return f"{head if colon and '/' not in tag else repository}@sha256:{sha256(image.encode()).hexdigest()}"


def _granted(container: dict[str, Any]) -> dict[str, Any]:
    granted: dict[str, Any] = {}
    said = container.get("resources") or {}
    if resources := {field: said[field] for field in ("limits", "requests") if said.get(field)}:
        if "requests" in resources:
            granted["allocatedResources"] = resources["requests"]
        granted["resources"] = resources
    if mounts := container.get("volumeMounts"):
        granted["volumeMounts"] = [mount_status(mount) for mount in mounts]
    return granted


def _conditions(
    pod: Object, life: Life, phase: str, mains: list[dict[str, Any]], inits: list[dict[str, Any]], now: float
) -> list[dict[str, Any]]:
    known = {one["type"]: one for one in (pod.get("status") or {}).get("conditions") or []}
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    unready = [one["name"] for one in mains if not one["ready"]]
    if over:
        containers = ("False", over, "")
    elif unready:
        containers = ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    else:
        containers = ("True", "", "")
    up = life.run is not None and not life.over
    waiting = [one["name"] for one in inits] if life.run is None else []
    wanted = {
        "PodReadyToStartContainers": ("True" if up else "False", "", ""),
        "Initialized": ("True", "PodCompleted" if phase == "Succeeded" else "", ""),
        "Ready": _gated(pod, known, containers),
        "ContainersReady": containers,
    }
    if waiting:
        message = f"containers with incomplete status: [{' '.join(waiting)}]"
        wanted["Initialized"] = ("False", "ContainersNotInitialized", message)
    if "PodScheduled" not in known:
        wanted["PodScheduled"] = ("True", "", "")
    return [_condition(type_, *said, known.get(type_), now) for type_, said in wanted.items()]


def _gated(pod: Object, known: dict[str, Any], containers: tuple[str, str, str]) -> tuple[str, str, str]:
    """Ready: the containers are, and whoever holds a readiness gate says so too."""
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    said = {gate: (known.get(gate) or {}).get("status", "False") for gate in gates}
    shut = [gate for gate in gates if said[gate] != "True"]
    if containers[0] != "True" or not shut:
        return containers
    told = "; ".join(f'the status of pod readiness gate "{gate}" is not "True", but {said[gate]}' for gate in shut)
    return "False", "ReadinessGatesNotReady", told


def _condition(
    type_: str, status: str, reason: str, message: str, known: dict[str, Any] | None, now: float
) -> dict[str, Any]:
    since = known.get("lastTransitionTime") if known and known.get("status") == status else None
    condition: dict[str, Any] = {"type": type_, "status": status}
    condition |= {"lastProbeTime": None, "lastTransitionTime": since or rfc3339(now)}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    # What was said before and is no more has to be taken back by name.
    for field in ("reason", "message"):
        if known and known.get(field) and field not in condition:
            condition[field] = None
    return condition


def ordinal_of(pod: Object) -> int | None:
    """What the ids of its containers carry; None when it has none of ours."""
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if found := _OUR_ID.fullmatch(str(status.get("containerID", ""))):
            return int(found[1], 16)
    return None


def taken_over(pod: Object, plan: Plan, now: float) -> Life:
    """Where the pod stands by its status; one that says nothing, or nothing of ours, begins now."""
    status = pod.get("status") or {}
    begun = parse_time(status["startTime"]) if status.get("startTime") else now
    first = next(iter(status.get("containerStatuses") or []), None)
    if status.get("phase") in ("Succeeded", "Failed"):
        run = _read_run((first or {}).get("state") or {}, first, begun)
        return Life(Stage.ENDED, begun, None, run, overdue=status.get("reason") == "DeadlineExceeded")
    if first is None or ordinal_of(pod) is None:
        return begin(plan, now, begun)
    last = _read_run(first.get("lastState") or {}, first, begun, 1)
    attempt = first.get("restartCount", 0)
    run = _read_run(first.get("state") or {}, first, begun)
    if run is None and last is None:
        return begin(plan, now, begun)
    if run is None:
        waiting = Life(Stage.WAITING, begun, None, last, first_start=begun, streak=attempt + 1)
        return resume(plan, waiting, now)
    ready = bool(first.get("ready"))
    running = Life(Stage.RUNNING, begun, None, run, last, ready, first_start=begun, streak=attempt)
    return after_end(running, plan, now) if run.finished else resume(plan, running, now)


def _read_run(state: dict[str, Any], status: dict[str, Any] | None, begun: float, back: int = 0) -> Run | None:
    """The run that a container's state or last state tells of; None when it waits. `begun` stands for moments that are
    not told. `back`: how many runs ago."""
    attempt = (status or {}).get("restartCount", 0)
    if "running" in state:
        return Run(attempt, _moment(state["running"], "startedAt", begun))
    if "terminated" not in state:
        return None
    ended = state["terminated"]
    number = attempt - back if "waiting" not in ((status or {}).get("state") or {}) else attempt
    started, finished = (_moment(ended, field, begun) for field in ("startedAt", "finishedAt"))
    return Run(number, started, finished, ended.get("exitCode", 0), ended.get("reason", ""))


def _moment(said: dict[str, Any], field: str, otherwise: float) -> float:
    return parse_time(said[field]) if said.get(field) else otherwise
