"""
AgentError
├── CriError             the runtime said no; `.code` is the gRPC status code's name
│   ├── CriNotFound      no such sandbox, container or image
│   └── RuntimeDown      the runtime does not answer: nothing may be concluded about its pods
├── ObjectUnavailable    a ConfigMap or Secret a pod needs cannot be read now; `.missing` says the API has none
├── ConfigError          a container cannot be configured as its spec asks (CreateContainerConfigError)
├── ImageError           an image is not there and cannot be had; `.reason` is the waiting reason
├── VolumeError          a volume cannot be set up (FailedMount)
├── UnsafePath           a path inside a volume would lead out of it
└── StreamError          a byte stream cannot be served; `.code` is the HTTP code of the refusal
"""

from __future__ import annotations


class AgentError(Exception):
    pass


class CriError(AgentError):
    def __init__(self, message: str, code: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class CriNotFound(CriError):
    pass


class RuntimeDown(CriError):
    pass


class ObjectUnavailable(AgentError):
    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class ConfigError(AgentError):
    pass


class ImageError(AgentError):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class VolumeError(AgentError):
    pass


class UnsafePath(VolumeError):
    pass


class StreamError(AgentError):
    def __init__(self, message: str, code: int = 500, reason: str = "InternalError") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
