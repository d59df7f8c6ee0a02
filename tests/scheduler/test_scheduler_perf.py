"""The benchmark's workloads end with every pod bound, at a scale that takes a second."""

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "scheduler_perf.py"


def run(*arguments):
    command = [sys.executable, BENCH, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()


def test_every_workload_binds_all_its_pods():
    measured = [line.split()[:2] for line in run("--scale", "0.004")[2:]]
    assert [name for name, _ in measured] == run("--list")
    assert all(int(bound.replace(",", "")) >= 8 for _, bound in measured)
