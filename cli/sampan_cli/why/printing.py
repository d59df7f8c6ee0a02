"""Findings and verdicts as text."""

from __future__ import annotations

from collections.abc import Iterator

from sampan_cli.table import Columns
from sampan_cli.why.facts import counted, joined
from sampan_cli.why.findings import Finding, Object

_NAMES = 3


def findings(found: list[Finding]) -> str:
    return "\n".join("\n".join(_lines(finding)) for finding in found) + "\n"


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.cause}: {finding.text}"
    yield from (f"    seen: {_one_line(line)}" for line in finding.evidence if line)
    if finding.fix:
        yield f"    fix:  {finding.fix}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def verdict(answer: Object) -> str:
    """The scheduler's verdict: which plug-in refuses which nodes, the nearest node and what would open it."""
    refusals = answer.get("refusals") or []
    if not refusals:
        return ""
    tried = [f"{counted(answer['attempts'], 'attempt')}"] if answer.get("attempts") else []
    head = f"{answer.get('scheduler') or 'scheduler'}{', ' if tried else ''}{''.join(tried)}"
    lines = [f"Verdict of {head}:"]
    if answer.get("message"):
        lines.append(f"  {answer['message']}")
    rows = [["NODES", "REFUSED BY", "NEED", "HAVE", "WHAT WOULD FIX IT"]]
    rows += [_row(refusal) for refusal in refusals]
    lines += [f"  {line.rstrip()}" for line in Columns().text(rows).splitlines()]
    if nearest := answer.get("nearest"):
        lines += list(_nearest(nearest))
    return "\n".join(lines) + "\n"


def _row(refusal: Object) -> list[str]:
    names = refusal.get("nodes") or []
    where = ",".join(names[:_NAMES])
    if refusal["count"] > _NAMES:
        where += f" +{refusal['count'] - _NAMES}"
    need, have = refusal.get("need") or "-", refusal.get("have") or "-"
    return [where, refusal["plugin"], need, have, refusal.get("fix") or "-"]


def _nearest(nearest: Object) -> Iterator[str]:
    changes = nearest["changes"]
    yield f"Nearest node: {nearest['node']}, {counted(len(changes), 'change')} away:"
    yield from (f"  {i}. {change['fix']}" for i, change in enumerate(changes, 1))


def placements(answer: Object) -> str:
    """What `whatif` found: one line per pod, and why for those that would stay pending."""
    rows = [["POD", "FROM", "NODE", "WOULD EVICT"]]
    for pod in answer.get("pods") or []:
        evicts = joined(f"{v['namespace']}/{v['name']}" for v in pod.get("evicts") or []) or "-"
        rows.append(
            [f"{pod['namespace']}/{pod['name']}", pod.get("from") or "-", pod.get("node") or "<pending>", evicts]
        )
    text = Columns().text(rows) if len(rows) > 1 else "No pods in what was given.\n"
    told: set[str] = set()
    for pod in answer.get("pods") or []:
        if pod.get("node") or (key := f"{pod.get('from')} {pod.get('message')}") in told:
            continue
        told.add(key)
        text += f"\n{pod['namespace']}/{pod['name']} would stay pending: {pod.get('message') or 'no reason given'}\n"
        text += verdict({**pod, "message": "", "scheduler": pod.get("scheduler")})
    for other in answer.get("ignored") or []:
        text += f"\n{other['kind']}/{other['name']}: {other['why']}\n"
    return text
