"""For all tests: the same examples in each run, and what a failure shows."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

import evidence

# Examples are chosen once and for all, and nothing is measured: the machine may be busy. Others are looked at with
# `--hypothesis-profile=random`.
settings.register_profile("random", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", settings.get_profile("random"), max_examples=50, derandomize=True, database=None)
settings.load_profile("fixed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += evidence.collected()
    return report


@pytest.fixture(scope="module", autouse=True)
def nobody_changes_what_is_shared() -> Iterator[None]:
    """Objects of the master's cache have their equal parts in common: who changed one would change all."""
    yield
    sharing = sys.modules.get("sampan_master.storage.sharing")
    for text, part in sharing._PARTS.items() if sharing else ():
        assert orjson.dumps(part) == text
