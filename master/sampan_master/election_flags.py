"""The flags of leader election, with the names of Kubernetes' components, and durations as Go writes them."""

from __future__ import annotations

import argparse
import re

from sampan_api.election import Terms

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def add_election_flags(parser: argparse._ActionsContainer) -> None:
    default = Terms()
    for name, seconds, help_ in (
        ("lease-duration", default.lease, "how long others wait after the leader's last renewal"),
        ("renew-deadline", default.renew_deadline, "how long a leader tries to renew before it stops"),
        ("retry-period", default.retry, "between two tries"),
    ):
        parser.add_argument(
            f"--leader-elect-{name}", type=duration, default=seconds, metavar="DURATION", help=f"{help_} ({seconds:g}s)"
        )


def terms_of(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Terms:
    """Ends the process with a message when they do not fit together."""
    lease = given.leader_elect_lease_duration
    if lease != int(lease):
        parser.error(f"argument --leader-elect-lease-duration: {lease:g}s is not a number of whole seconds")
    try:
        return Terms(lease, given.leader_elect_renew_deadline, given.leader_elect_retry_period)
    except ValueError as error:
        parser.error(f"--leader-elect-…: {error}")


def duration(text: str) -> float:
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 15s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
