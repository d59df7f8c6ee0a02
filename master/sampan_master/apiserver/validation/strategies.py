"""How pods are replaced: what Deployment, DaemonSet and StatefulSet have in common."""

from __future__ import annotations

from typing import Any


def as_go_has_it(strategy: dict[str, Any]) -> dict[str, Any]:
    """A strategy of unknown type as the real server prints it: the struct by which it computes."""
    rolling = strategy.get("rollingUpdate")
    shown = None if rolling is None else {field[0].upper() + field[1:]: value for field, value in rolling.items()}
    return {"Type": strategy["type"], "RollingUpdate": shown}
