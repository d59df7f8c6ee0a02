"""How pods are replaced: what Deployment, DaemonSet and StatefulSet have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def strategy_as_go_has_it(strategy: Mapping[str, Any], absent: Mapping[str, Any]) -> dict[str, Any]:
    """A strategy that is refused as the real server prints it: the struct by which it computes. `absent`: what the
    fields of its `rollingUpdate` are when nothing was said."""
    rolling = strategy.get("rollingUpdate")
    shown = None if rolling is None else rolling_update_as_go_has_it(rolling, absent)
    return {"Type": strategy["type"], "RollingUpdate": shown}


def rolling_update_as_go_has_it(rolling: Mapping[str, Any], absent: Mapping[str, Any]) -> dict[str, Any]:
    return {field[0].upper() + field[1:]: rolling.get(field, value) for field, value in absent.items()}
