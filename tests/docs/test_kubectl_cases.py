"""The page of the recorded commands tells what the end-to-end tests leave out."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import recorded_cases  # noqa: E402


def test_the_page_names_every_case_that_is_not_compared_as_recorded() -> None:
    written = recorded_cases.page(recorded_cases.read_cases())
    assert recorded_cases.PAGE.read_text(encoding="utf-8") == written, "run python tests/e2e/recorded_cases.py"


def test_every_recorded_case_is_there_once() -> None:
    cases = recorded_cases.read_cases()
    assert len({case.id for case in cases}) == len(cases)
