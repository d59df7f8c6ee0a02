"""What a disruption budget's status says of itself: the one wording for the controller that counts and the API server
that grants evictions between two counts."""

from __future__ import annotations

from typing import Any

from sampan_api.clock import rfc3339

ALLOWED = "DisruptionAllowed"
SYNC_FAILED = "SyncFailed"


def with_condition(status: dict[str, Any], now: float, failure: str = "") -> dict[str, Any]:
    """The status with its DisruptionAllowed condition as its own counts have it; `failure`: they could not be made."""
    allowed = bool(status.get("disruptionsAllowed"))
    reason = SYNC_FAILED if failure else "SufficientPods" if allowed else "InsufficientPods"
    value = "True" if allowed else "False"
    conditions = status.get("conditions") or []
    before = allowed_condition(status) or {}
    since = before.get("lastTransitionTime") if before.get("status") == value else None
    condition = {
        "type": ALLOWED,
        "status": value,
        "observedGeneration": status.get("observedGeneration"),
        "lastTransitionTime": since or rfc3339(now),
        "reason": reason,
        "message": failure,
    }
    present = {key: part for key, part in condition.items() if part is not None}
    others = [other for other in conditions if other.get("type") != ALLOWED]
    return {**status, "conditions": [*others, present]}


def allowed_condition(status: dict[str, Any]) -> dict[str, Any] | None:
    return next((c for c in status.get("conditions") or [] if c.get("type") == ALLOWED), None)
