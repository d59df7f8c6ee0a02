"""What a CRI call can fail with, named by its gRPC status; `server` turns the exceptions of lower layers into these.

CriError
├── InvalidArgument
├── NotFound
├── AlreadyExists
├── FailedPrecondition   the object is in a state that does not allow the call
├── DeadlineExceeded     the call's own time limit (ExecSync)
├── Unavailable          something the runtime needs is not there yet: network, registry
└── Unimplemented        valid in CRI, unknown here
"""

from __future__ import annotations

import grpc

from sampan_runtime.errors import NoSuchContainer, RuntimeFailure, ShimGone, WrongState
from sampan_runtime.images.errors import BadImage, ImageError, ImageNotFound, InvalidReference, RegistryError
from sampan_runtime.ipam import NoFreeAddress
from sampan_runtime.nat import NatError


class CriError(Exception):
    code = grpc.StatusCode.UNKNOWN


class InvalidArgument(CriError):
    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(CriError):
    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(CriError):
    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(CriError):
    code = grpc.StatusCode.FAILED_PRECONDITION


class DeadlineExceeded(CriError):
    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Unavailable(CriError):
    code = grpc.StatusCode.UNAVAILABLE


class Unimplemented(CriError):
    code = grpc.StatusCode.UNIMPLEMENTED


_BELOW: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (InvalidReference, grpc.StatusCode.INVALID_ARGUMENT),
    (ImageNotFound, grpc.StatusCode.NOT_FOUND),
    (RegistryError, grpc.StatusCode.UNAVAILABLE),
    (BadImage, grpc.StatusCode.INTERNAL),
    (ImageError, grpc.StatusCode.INTERNAL),
    (NatError, grpc.StatusCode.INTERNAL),
    (NoFreeAddress, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (NoSuchContainer, grpc.StatusCode.NOT_FOUND),
    (WrongState, grpc.StatusCode.FAILED_PRECONDITION),
    (ShimGone, grpc.StatusCode.UNAVAILABLE),
    (RuntimeFailure, grpc.StatusCode.INTERNAL),
    (TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED),
    (OSError, grpc.StatusCode.INTERNAL),
)
HANDLED: tuple[type[Exception], ...] = (CriError, *(kind for kind, _ in _BELOW))


def status_code(error: Exception) -> grpc.StatusCode:
    if isinstance(error, CriError):
        return error.code
    return next((code for kind, code in _BELOW if isinstance(error, kind)), grpc.StatusCode.UNKNOWN)
