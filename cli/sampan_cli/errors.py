"""What the command line reports and then exits with.

CliError            a sentence for stderr, already worded (prefix `error: ` included where kubectl has one)
├── UsageError      the command line itself is wrong
├── ServerError     the API server answered with a Status; keeps it, so that a verb can react to the reason
└── ClusterError    the machine cannot do what `up` or `down` asks; names what is missing
"""

from __future__ import annotations

from typing import Any


class CliError(Exception):
    exit_code = 1

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


class UsageError(CliError):
    def __init__(self, message: str) -> None:
        super().__init__(f"error: {message}")


class ClusterError(CliError):
    def __init__(self, message: str) -> None:
        super().__init__(f"error: {message}")


class ServerError(CliError):
    """`Error from server (NotFound): pods "x" not found`, worded as kubectl words each kind of Status."""

    def __init__(self, code: int, status: dict[str, Any], context: str = "") -> None:
        self.code = code
        self.status = status
        self.reason = str(status.get("reason", ""))
        super().__init__(_worded(status, context))

    def within(self, context: str) -> ServerError:
        """The same error said with what was being done, as in `error when creating "x.yaml": …`."""
        return ServerError(self.code, self.status, context)


def _worded(status: dict[str, Any], context: str) -> str:
    reason = str(status.get("reason", ""))
    message = str(status.get("message", ""))
    if reason == "Unauthorized":
        return "error: You must be logged in to the server (Unauthorized)"
    details = status.get("details") or {}
    causes = details.get("causes") or []
    if reason == "Invalid" and not context and details.get("kind") and details.get("name"):
        head = f'The {details["kind"]} "{details["name"]}" is invalid'
        lines = [f"{c['field']}: {c['message']}" if c.get("field") else str(c["message"]) for c in causes]
        if len(lines) == 1:
            return f"{head}: {lines[0]}"
        if lines:
            return "\n".join([f"{head}: ", *(f"* {line}" for line in dict.fromkeys(lines))])
        return f"{head}: {message}"
    said = f"{context}: {message}" if context else message
    return f"Error from server ({reason}): {said}" if reason else f"Error from server: {said}"
