from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lab import run


@pytest.mark.e2e
@pytest.mark.root
def test_after_a_random_walk_of_faults_and_changes_the_api_says_what_the_kernel_shows() -> None:
    """Longer walks from other seeds: `python tests/e2e/chaos.py SEED STEPS`."""
    done = run(sys.executable, Path(__file__).with_name("chaos.py"), "7", "15", timeout=600, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
