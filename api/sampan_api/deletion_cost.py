"""What it costs to delete a pod, as its annotation says: of a ReplicaSet's pods those that cost less go first."""

from __future__ import annotations

COST = "controller.kubernetes.io/pod-deletion-cost"
_MOST = 2**31


def parse_deletion_cost(text: str) -> int | None:
    """None unless `text` is an integer of 32 bits, without plus sign or leading zeros."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or (text.startswith("0") and text != "0"):
        return None
    cost = int(text)
    return cost if -_MOST <= cost < _MOST else None
