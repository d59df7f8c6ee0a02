"""Errors of the Kubernetes API, one class per `reason`, each able to say itself as a `Status` object.

    ApiError
    ├── BadRequest 400            ├── Conflict 409            ├── TooManyRequests 429
    ├── Unauthorized 401          ├── AlreadyExists 409       ├── InternalError 500
    ├── Forbidden 403             ├── Expired 410             ├── ServiceUnavailable 503
    ├── NotFound 404              ├── RequestEntityTooLarge 413
    ├── MethodNotAllowed 405      ├── UnsupportedMediaType 415
    ├── NotAcceptable 406         ├── Invalid 422             └── ServerTimeout 504

A server raises them below its routes and turns them into a response in one place; a client turns a
`Status` body back into the same class with `from_status`, so callers see one tree on both sides.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ApiError(Exception):
    """A failure that has a Kubernetes `Status`: HTTP `code`, machine `reason`, human `message`, `details`."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = ""

    def __init__(self, message: str, details: dict[str, Any] | None = None, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.metadata = metadata

    def status(self) -> dict[str, Any]:
        """The `Status` object of this error, keys in the order the real server writes them."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(self.metadata),
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


class BadRequest(ApiError):
    code = 400
    reason = "BadRequest"


class Unauthorized(ApiError):
    code = 401
    reason = "Unauthorized"


class Forbidden(ApiError):
    code = 403
    reason = "Forbidden"


class NotFound(ApiError):
    code = 404
    reason = "NotFound"


class MethodNotAllowed(ApiError):
    code = 405
    reason = "MethodNotAllowed"


class NotAcceptable(ApiError):
    code = 406
    reason = "NotAcceptable"


class Conflict(ApiError):
    code = 409
    reason = "Conflict"


class AlreadyExists(ApiError):
    code = 409
    reason = "AlreadyExists"


class Expired(ApiError):
    """The revision asked for is compacted, or no longer in the watch history: list again."""

    code = 410
    reason = "Expired"


class RequestEntityTooLarge(ApiError):
    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code = 415
    reason = "UnsupportedMediaType"


class Invalid(ApiError):
    code = 422
    reason = "Invalid"


class TooManyRequests(ApiError):
    code = 429
    reason = "TooManyRequests"


class InternalError(ApiError):
    code = 500
    reason = "InternalError"


class ServiceUnavailable(ApiError):
    code = 503
    reason = "ServiceUnavailable"


class ServerTimeout(ApiError):
    code = 504
    reason = "Timeout"


def has_cause(error: ApiError, reason: str) -> bool:
    """Whether one of the causes in its details has this reason, as NamespaceTerminating."""
    return any(cause.get("reason") == reason for cause in (error.details or {}).get("causes") or [])


_LEAVES: tuple[type[ApiError], ...] = (
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    Conflict,
    AlreadyExists,
    Expired,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    Invalid,
    TooManyRequests,
    InternalError,
    ServiceUnavailable,
    ServerTimeout,
)
_BY_REASON = {leaf.reason: leaf for leaf in _LEAVES}
_BY_CODE = {leaf.code: leaf for leaf in reversed(_LEAVES) if leaf is not AlreadyExists}


def from_status(code: int, body: dict[str, Any]) -> ApiError:
    """The error a `Status` body stands for; an unknown reason falls back to its HTTP code."""
    leaf = _BY_REASON.get(body.get("reason", "")) or _BY_CODE.get(code, InternalError)
    return leaf(body.get("message", f"HTTP {code}"), body.get("details"))
