"""The row of a pod in the Table output: the STATUS column sums up phase, conditions and containers.

The walk is that of kubectl's printer, kept in its order, since each step may override the one before.
"""

from __future__ import annotations

from typing import Any

from sampan_api.clock import parse_time
from sampan_api.meta import Object, condition, is_true

from sampan_master.apiserver.resources.ages import human_duration
from sampan_master.apiserver.resources.columns import age

_NONE = "<none>"


class _Tally:
    """What the walk over the containers gathers."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.restarts = 0
        self.ready = 0
        self.last_restart = ""
        self.initializing = False
        self.running = False

    def count_restarts(self, status: dict[str, Any]) -> None:
        self.restarts += status.get("restartCount", 0)
        finished = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        if finished and finished > self.last_restart:
            self.last_restart = finished


def pod_cells(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    tally = _Tally(_start_reason(obj, status))
    inits = {container["name"]: container for container in spec.get("initContainers") or []}
    restartable = sum(1 for container in inits.values() if container.get("restartPolicy") == "Always")
    _walk_inits(tally, status.get("initContainerStatuses") or [], inits)
    if not tally.initializing or is_true(obj, "Initialized"):
        _walk_containers(tally, status.get("containerStatuses") or [])
        if tally.reason == "Completed" and tally.running:
            tally.reason = "Running" if is_true(obj, "Ready") else "NotReady"
    total = len(spec.get("containers") or []) + restartable
    return [
        obj["metadata"]["name"],
        f"{tally.ready}/{total}",
        _with_deletion(tally.reason, obj, status),
        _restarts(tally, now),
        age(obj, now),
        _first_ip(status),
        spec.get("nodeName") or _NONE,
        status.get("nominatedNodeName") or _NONE,
        _gates(obj, spec),
    ]


def _start_reason(obj: Object, status: dict[str, Any]) -> str:
    scheduled = condition(obj, "PodScheduled")
    if scheduled and scheduled.get("reason") == "SchedulingGated":
        return "SchedulingGated"
    return str(status.get("reason") or status.get("phase", ""))


def _walk_inits(tally: _Tally, statuses: list[dict[str, Any]], inits: dict[str, dict[str, Any]]) -> None:
    for index, status in enumerate(statuses):
        tally.count_restarts(status)
        sidecar = inits.get(status.get("name", ""), {}).get("restartPolicy") == "Always"
        state = status.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if terminated is not None and terminated.get("exitCode", 0) == 0:
            continue
        if sidecar and status.get("started"):
            tally.ready += 1 if status.get("ready") else 0
            continue
        if terminated is not None:
            tally.reason = "Init:" + (terminated.get("reason") or _end(terminated))
        elif waiting is not None and waiting.get("reason") and waiting["reason"] != "PodInitializing":
            tally.reason = "Init:" + waiting["reason"]
        else:
            tally.reason = f"Init:{index}/{len(inits)}"
        tally.initializing = True
        return


def _end(terminated: dict[str, Any]) -> str:
    signal = terminated.get("signal", 0)
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _walk_containers(tally: _Tally, statuses: list[dict[str, Any]]) -> None:
    for status in reversed(statuses):
        tally.count_restarts(status)
        state = status.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting")
        if waiting is not None and waiting.get("reason"):
            tally.reason = waiting["reason"]
        elif terminated is not None:
            tally.reason = terminated.get("reason") or _end(terminated)
        elif status.get("ready") and state.get("running") is not None:
            tally.running = True
            tally.ready += 1


def _with_deletion(reason: str, obj: Object, status: dict[str, Any]) -> str:
    if not obj["metadata"].get("deletionTimestamp"):
        return reason
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _restarts(tally: _Tally, now: float) -> str:
    if tally.restarts and tally.last_restart:
        return f"{tally.restarts} ({human_duration(now - parse_time(tally.last_restart))} ago)"
    return str(tally.restarts)


def _first_ip(status: dict[str, Any]) -> str:
    for ip in status.get("podIPs") or []:
        if ip.get("ip"):
            return str(ip["ip"])
    return status.get("podIP") or _NONE


def _gates(obj: Object, spec: dict[str, Any]) -> str:
    gates = spec.get("readinessGates") or []
    if not gates:
        return _NONE
    true = sum(is_true(obj, gate.get("conditionType", "")) for gate in gates)
    return f"{true}/{len(gates)}"


def row_conditions(obj: Object) -> list[dict[str, Any]]:
    phase = (obj.get("status") or {}).get("phase")
    if phase == "Succeeded":
        message = "The pod has completed successfully."
        return [{"type": "Completed", "status": "True", "reason": "Succeeded", "message": message}]
    if phase == "Failed":
        return [{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}]
    return []
