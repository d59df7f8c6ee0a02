"""The recorded kubectl commands: what a real cluster answered to each, and which of them wait for a later issue.

A line `before-<id>` makes the state that the next case was recorded in, where cases that made it are left out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"
IMAGE = "registry.k8s.io/e2e-test-images/busybox:1.37.0-1"


@dataclass(frozen=True, slots=True)
class Case:
    """`stdout` and `stderr` are first lines; "*" is anything. `later` says why the case is not run."""

    id: str
    exit: str
    command: str
    stdout: str
    stderr: str
    later: str


def read_cases() -> list[Case]:
    lines = (DATA / "kubectl-cases.tsv").read_text().splitlines()[1:]
    return [Case(*(line.split("\t") + [""] * 5)[:6]) for line in lines]


CASES = read_cases()
RUN = [case for case in CASES if not case.later]


def summary() -> str:
    recorded = [case for case in CASES if not case.id.startswith("before-")]
    reasons = Counter(case.later for case in recorded if case.later)
    left = "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"kubectl cases: {len(recorded) - reasons.total()} of {len(recorded)} compared; left out: {left}"


_PLACEHOLDERS = (
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "JWT"),
    (re.compile(r"^[EIW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ "), "KLOG "),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r'("resourceVersion":)"\d+"'), r'\1"RV"'),
    (re.compile(r"(?<![\d.])\d{1,3}(\.\d{1,3}){3}(:\d+)?(?![\d.])"), "IP"),
    (re.compile(r"(?<![\w=])\d+[smhd](\d+[smhd])?(?!\w)"), "AGE"),
    (re.compile(r"\b(rs1|node-debugger-node1)-[bcdfghjklmnpqrstvwxz2456789]{5}\b"), r"\1-RAND"),
    (re.compile(r"\s+"), " "),
)


def plain(text: str) -> str:
    """The first line without what differs from run to run and from cluster to cluster."""
    line = text.split("\n", 1)[0]
    for pattern, replacement in _PLACEHOLDERS:
        line = pattern.sub(replacement, line)
    return line.strip()


def is_as_recorded(seen: str, recorded: str) -> bool:
    """A recorded line that ends in "…" was cut there."""
    if recorded.endswith("…"):
        return plain(seen).startswith(plain(recorded.removesuffix("…")))
    return recorded == "*" or plain(seen) == plain(recorded)
