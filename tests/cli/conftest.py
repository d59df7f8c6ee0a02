from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def _eventually(question: Callable[[], Any], timeout: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (answer := question()):
        assert time.monotonic() < deadline, f"not within {timeout} s; last answer: {answer!r}"
        time.sleep(0.01)
    return answer


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Asks until the answer is true, and returns it; fails after its deadline."""
    return _eventually
