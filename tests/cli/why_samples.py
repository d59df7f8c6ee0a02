"""Pods, container states and events in as few words as a case needs."""

from __future__ import annotations

from typing import Any

NOW = 1_700_000_000.0
STAMP = "2023-11-14T22:13:10Z"
"""Ten seconds before NOW."""


def pod(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": "x", "namespace": "default", "uid": "u", "creationTimestamp": STAMP},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "app:1"}], **(spec or {})},
        "status": {"phase": "Pending", **status},
    }


def with_state(state: dict[str, Any], last: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "c", "state": state, "lastState": {"terminated": last} if last else {}, "restartCount": 0, **more}


def waiting(reason: str, message: str = "", last: dict[str, Any] | None = None) -> dict[str, Any]:
    return with_state({"waiting": {"reason": reason, "message": message}}, last)


def event(reason: str, message: str, container: str = "c") -> dict[str, Any]:
    field = {"fieldPath": f"spec.containers{{{container}}}"} if container else {}
    return {"type": "Warning", "reason": reason, "message": message, "lastTimestamp": STAMP, "involvedObject": field}
