"""The recorded commands: what a real v1.36 cluster let kubectl, helm and Python clients say, one line each.

`data/kubectl-cases.tsv` is the recording and stays as it is. What cannot be compared with it stands in two small files:
`kubectl-later.tsv`, cases that need a part which Sampan does not have yet (they are run too, and must not hold), and
`kubectl-instead.tsv`, cases with another command or another first line, because the recorded ones depend on the
recorded machine. docs/kubectl-cases.md is written from both: `python tests/e2e/recorded_cases.py`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

DATA = Path(__file__).parent / "data"
PAGE = Path(__file__).parents[2] / "docs" / "kubectl-cases.md"
IMAGES = {
    "registry.k8s.io/e2e-test-images/busybox:1.37.0-1": "busybox:1.35",
    "IMGb": "busybox:latest",
    "IMG": "busybox:1.35",
}
CUT = 300
"""A recorded line of this length was cut there."""


@dataclass(frozen=True, slots=True)
class Case:
    """`stdout` and `stderr` are first lines. `later` says what has to be there before the case can hold; `instead`, why
    something else is compared than what was recorded."""

    id: str
    tier: str
    exit: str
    command: str
    stdout: str
    stderr: str
    later: str = ""
    instead: str = ""


def read_cases() -> list[Case]:
    later = dict(_rows("kubectl-later.tsv"))
    instead = {row[0]: row[1:] for row in _rows("kubectl-instead.tsv")}
    recorded = [Case(id, *fields, stdout, stderr) for id, *fields, stdout, _, stderr in _rows("kubectl-cases.tsv")]
    known = {case.id for case in recorded}
    assert not (later.keys() | instead.keys()) - known, "an exception to a case that does not exist"
    return [_with_exceptions(case, later.get(case.id, ""), instead.get(case.id, [])) for case in recorded]


def _rows(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (DATA / name).read_text().splitlines()[1:]]


def _with_exceptions(case: Case, later: str, instead: list[str]) -> Case:
    """An empty column of `kubectl-instead.tsv` is as recorded; "-" is nothing, "*" anything, "…" at the end a cut."""
    reason, *columns = instead or [""]
    given = zip(("exit", "command", "stdout", "stderr"), columns, strict=bool(instead))
    changed = {name: "" if column == "-" else column for name, column in given if column}
    return replace(case, later=later, instead=reason, **changed)


def line_of(case: Case) -> str:
    line = case.command
    for name, here in IMAGES.items():
        line = line.replace(name, here)
    return line


def differences(case: Case, exit: int, stdout: str, stderr: str) -> list[str]:
    """What is not as recorded; empty when nobody could tell."""
    found = [] if str(exit) == case.exit else [f"exit {exit}, recorded {case.exit}"]
    for stream, seen, recorded in (("stdout", stdout, case.stdout), ("stderr", _without_ours(stderr), case.stderr)):
        if not _is_as_recorded(seen, recorded):
            found.append(f"{stream}: {_plain(seen)!r}\n  recorded {_plain(recorded)!r}")
    return found


_OURS = re.compile(r"^.*Warning: .* stored, but no part of Sampan acts on them yet.*\n", re.M)


def _without_ours(stderr: str) -> str:
    """Sampan warns of what it stores and does not act on yet; Kubernetes has nothing to say there."""
    return _OURS.sub("", stderr)


_NAME = "[bcdfghjklmnpqrstvwxz2456789]"
_PLACEHOLDERS = (
    (re.compile(r"^[EIW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ "), "KLOG "),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| [+-]\d{4} \w+)?"), "TIME"),
    (re.compile(r"LAST DEPLOYED: .*"), "LAST DEPLOYED: TIME"),
    (re.compile(r'("resourceVersion":)"\d+"'), r'\1"RV"'),
    (re.compile(r"^ey[\w-]+\.[\w-]+\.[\w-]+$"), "JWT"),
    (re.compile(r"(?<![\d.])\d{1,3}(\.\d{1,3}){3}(:\d+)?(?![\d.])"), "IP"),
    (re.compile(r"(?<![\w=])\d+[smhd](\d+[smhd])?(?!\w)"), "AGE"),
    (re.compile(r"\bline \d+\b"), "line N"),
    (re.compile(r"\b(dep1|d1|cj)-(HASH|[\w]{6,10})-(RAND|\w{5})\b"), r"\1-HASH-RAND"),
    (re.compile(rf"\b(rs1|node-debugger-node1|multi-c)-{_NAME}{{5}}\b"), r"\1-RAND"),
    (re.compile(r"Client Version: v1\.(32|20)\.\S+"), r"Client Version: v1.\1"),
    (re.compile(r"\s+"), " "),
)


def _plain(text: str) -> str:
    """The first line without what differs from run to run and from cluster to cluster."""
    line = text.split("\n", 1)[0]
    for pattern, replacement in _PLACEHOLDERS:
        line = pattern.sub(replacement, line)
    return line.strip()


def _is_as_recorded(seen: str, recorded: str) -> bool:
    if len(recorded) >= CUT or recorded.endswith("…"):
        return _plain(seen).startswith(_plain(recorded.removesuffix("…")))
    return recorded == "*" or _plain(seen) == _plain(recorded)


def summary(cases: list[Case]) -> str:
    """Said at the end of a run."""
    reasons: dict[str, int] = defaultdict(int)
    for case in cases:
        if case.later:
            reasons[case.later] += 1
    left = "; ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1]))
    instead = sum(1 for case in cases if case.instead)
    compared = len(cases) - sum(reasons.values())
    return (
        f"recorded cases: {compared} of {len(cases)} compared, {instead} of them with a line of their own; wait: {left}"
    )


_HEAD = """# The recorded commands, and which of them are not compared

A real Kubernetes v1.36 was given {total} commands of kubectl 1.37, 1.32 and 1.20, helm 4 and the Python clients.
[`test_recorded_cases.py`](../tests/e2e/test_recorded_cases.py) gives the same ones, in the same order, to a cluster of
one node, and compares the exit code and the first line of stdout and of stderr; {compared} of them must be the same.
Addresses, uids, times, ages, random names, the places of columns and Sampan's own warnings of what nothing acts on yet
are left out of the comparison.

This page is written by `python tests/e2e/recorded_cases.py` from
[`kubectl-later.tsv`](../tests/e2e/data/kubectl-later.tsv) and
[`kubectl-instead.tsv`](../tests/e2e/data/kubectl-instead.tsv); a test holds it to them.

## Cases that wait for a part that is not there yet
They are run as well, and must not hold: whoever builds the part finds out by the test that says so.

| needs | cases |
|---|---|
"""
_INSTEAD = """
## Cases with a line of their own
The recorded command or line depends on the recorded machine or on what other cases had left there.

| case | why |
|---|---|
"""


def page(cases: list[Case]) -> str:
    later: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        if case.later:
            later[case.later].append(f"`{case.id}`")
    waiting = sum(map(len, later.values()))
    head = _HEAD.format(total=len(cases), compared=len(cases) - waiting)
    rows = [f"| {reason} | {', '.join(ids)} |\n" for reason, ids in later.items()]
    others = [f"| `{case.id}` | {case.instead} |\n" for case in cases if case.instead]
    return head + "".join(rows) + _INSTEAD + "".join(others)


if __name__ == "__main__":
    PAGE.write_text(page(read_cases()))
