"""A policy's functions are called under this guard: they end in time, their answers are looked at, and what fails is
told and left out.

A call that raises, takes too long, or answers with anything but one value for each node counts as not made: all nodes
pass, none is preferred. After three failures in a row a function is switched off until the scheduler starts again.
Time is taken by the process's interval timer, so an endless loop is broken from within. What cannot be broken: a loop
that swallows every exception, C code that does not return; and off the main thread there is no limit.
"""

from __future__ import annotations

import logging
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")
log = logging.getLogger(__name__)

STRIKES = 3
_IMPORT_SECONDS = 10.0
_AGAIN_SECONDS = 0.05
"""Between two tries to break a loop that caught the first."""


class PolicyError(Exception):
    """An answer that is none."""


class Overtime(BaseException):
    """Not an Exception, so that `except Exception` in a policy does not catch it."""


class Failure(NamedTuple):
    """One call that failed. `off`: the function is not called any more."""

    policy: str
    function: str
    problem: str
    off: bool

    @property
    def message(self) -> str:
        what = f"{self.policy}.{self.function}" if self.function else self.policy
        then = "it is switched off until the scheduler starts again" if self.off else "it is left out this time"
        return f"scheduling policy {what}: {self.problem}; {then}"


@dataclass(slots=True, eq=False)
class Function:
    name: str
    call: Callable[..., Any]
    strikes: int = 0
    off: bool = False


class Guard:
    """One policy, and what went wrong in it."""

    def __init__(self, policy: str, path: Path, timeout: float) -> None:
        self.policy, self._path, self._timeout = policy, path, timeout
        self._untold: deque[Failure] = deque(maxlen=100)

    def ask(self, function: Function, check: Callable[[Any], T], *arguments: Any) -> T | None:
        """The checked answer; None when there is none."""
        if function.off:
            return None
        try:
            with _limited(self._timeout), np.errstate(all="ignore"):
                answer = check(function.call(*arguments))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # Foreign code: whatever it does, scheduling goes on.
            function.strikes += 1
            function.off = function.strikes >= STRIKES
            self._failed(function.name, self._problem(error), off=function.off)
            return None
        function.strikes = 0
        return answer

    def run(self, make: Callable[[], T]) -> T | None:
        """What comes before the functions are known: reading and executing the file."""
        try:
            with _limited(max(self._timeout, _IMPORT_SECONDS)):
                return make()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # As above.
            self._failed("", self._problem(error), off=True)
            return None

    def untold(self) -> list[Failure]:
        """The failures since this was asked last."""
        told = list(self._untold)
        self._untold.clear()
        return told

    def _failed(self, function: str, problem: str, *, off: bool) -> None:
        failure = Failure(self.policy, function, problem, off)
        self._untold.append(failure)
        log.error("%s", failure.message)

    def _problem(self, error: BaseException) -> str:
        if isinstance(error, Overtime):
            text = f"took longer than {self._timeout:g} s"
        elif isinstance(error, PolicyError):
            return str(error)
        else:
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return text + self._where(error)

    def _where(self, error: BaseException) -> str:
        """The last line of the policy's own file that was running."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(self._path)]
        return f" ({self._path.name}, line {frames[-1].lineno})" if frames else ""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    running = True

    def ring(_signal: int, _frame: FrameType | None) -> None:
        if running:
            raise Overtime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
