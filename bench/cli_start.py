"""`sampan get pods` as a whole process, from its start to its exit, against `kubectl get pods`.

    .venv/bin/python bench/cli_start.py [--runs 30]

Both ask the same cluster, in turn, with their caches warm: bytecode for one, discovery for both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from cluster import SAMPAN, cluster, print_machine, quantiles

KUBECTL = Path(sys.prefix) / "share" / "sampan" / "bin" / "kubectl"


def timed(program: Path, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        [program, "get", "pods"],
        env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - began


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=30)
    runs = arguments.parse_args().runs
    print_machine()
    with cluster(nodes=1) as kubeconfig:
        environment = {**os.environ, "KUBECONFIG": kubeconfig}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        took: dict[Path, list[float]] = {SAMPAN: [], KUBECTL: []}
        for program in took:
            timed(program, environment)
        for _ in range(runs):
            for program, seconds in took.items():
                seconds.append(timed(program, environment))
    for program, seconds in took.items():
        print(f"{program.name} get pods: {quantiles(seconds)}")
    ratios = [ours / theirs for ours, theirs in zip(took[SAMPAN], took[KUBECTL], strict=True)]
    print(f"sampan / kubectl, pair by pair: median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
