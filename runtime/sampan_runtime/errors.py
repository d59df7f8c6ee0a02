"""What can go wrong below the CRI border, named by what the caller does next.

RuntimeFailure
├── StepFailed        a system call was refused; `step` says while doing what, `errno` which error it was
├── NoSuchContainer   the shim does not know that id: it was removed, or never made
├── WrongState        the request does not fit the container's state (start of a running one, …)
└── ShimGone          the shim does not answer any more: its pod's cgroup must be killed and the pod written off
"""

from __future__ import annotations

import os


class RuntimeFailure(Exception):
    """Root of this package's own errors."""


class StepFailed(RuntimeFailure):
    def __init__(self, step: str, errno: int) -> None:
        super().__init__(f"{step}: {os.strerror(errno)}")
        self.step = step
        self.errno = errno


class NoSuchContainer(RuntimeFailure):
    pass


class WrongState(RuntimeFailure):
    pass


class ShimGone(RuntimeFailure):
    pass
