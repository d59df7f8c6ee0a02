from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest


def _eventually(question: Callable[[], Any], timeout: float = 10.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (answer := question()):
        assert time.monotonic() < deadline, f"not within {timeout} s; last answer: {answer!r}"
        time.sleep(0.01)
    return answer


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Asks until the answer is true, and returns it; fails after its deadline."""
    return _eventually
