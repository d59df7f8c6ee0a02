"""Findings and verdicts as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sampan_cli.table import Columns
from sampan_cli.why.facts import counted, joined
from sampan_cli.why.findings import Finding, Object

_NAMES = 3
_HEADER = ["NODES", "REFUSED BY", "NEED", "HAVE", "WHAT WOULD FIX IT"]


def findings(found: list[Finding]) -> str:
    return "\n".join("\n".join(_lines(finding)) for finding in found) + "\n"


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.cause}: {finding.text}"
    yield from (f"    seen: {_one_line(line)}" for line in finding.evidence if line)
    if finding.fix:
        yield f"    fix:  {finding.fix}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def verdict(answer: Object, width: int, told: Iterable[Finding] = ()) -> str:
    """The scheduler's verdict: which plug-in refuses which nodes, the nearest node and what would open it. As a table
    where `width` columns are enough for one, else line by line. What the findings have `told` is not said again."""
    refusals = answer.get("refusals") or []
    if not refusals:
        return ""
    told = list(told)
    tried = [f"{counted(answer['attempts'], 'attempt')}"] if answer.get("attempts") else []
    head = f"{answer.get('scheduler') or 'scheduler'}{', ' if tried else ''}{''.join(tried)}"
    lines = [f"Verdict of {head}:"]
    if answer.get("message") and not any(answer["message"] in finding.evidence for finding in told):
        lines.append(f"  {answer['message']}")
    rows = [_row(refusal) for refusal in _alike(refusals)]
    table = Columns().text([_HEADER, *rows]).splitlines()
    if max(map(len, table)) + 2 > width:
        table = [line for row in rows for line in _block(row)]
    lines += [f"  {line.rstrip()}" for line in table]
    nearest = answer.get("nearest")
    if nearest and not {change["fix"] for change in nearest["changes"]} <= {finding.fix for finding in told}:
        lines += list(_nearest(nearest))
    return "\n".join(lines) + "\n"


def _row(refusal: Object) -> list[str]:
    names = refusal.get("nodes") or []
    where = ",".join(names[:_NAMES])
    if refusal["count"] > _NAMES:
        where += f" +{refusal['count'] - _NAMES}"
    need, have = refusal.get("need") or "-", refusal.get("have") or "-"
    return [where, refusal["plugin"], need, have, refusal.get("fix") or "-"]


def _block(row: list[str]) -> Iterator[str]:
    where, plugin, need, have, fix = row
    yield f"{where}   {plugin}"
    yield from (
        f"    {name} {text}" for name, text in (("need:", need), ("have:", have), ("fix: ", fix)) if text != "-"
    )


def _alike(refusals: list[Object]) -> Iterator[Object]:
    """Refusals that differ in nothing but the node's name are one, with that name left open."""
    groups: dict[tuple[str, ...], list[Object]] = {}
    for refusal in refusals:
        groups.setdefault(tuple(_unnamed(refusal).values()), []).append(refusal)
    for same in groups.values():
        if len(same) == 1:
            yield same[0]
            continue
        names = [name for refusal in same for name in refusal.get("nodes") or []]
        yield {**same[0], **_unnamed(same[0]), "nodes": names, "count": sum(refusal["count"] for refusal in same)}


def _unnamed(refusal: Object) -> dict[str, str]:
    """What it says, without the name of its one node."""
    name = refusal["nodes"][0] if refusal["count"] == 1 and refusal.get("nodes") else ""
    keys = ("plugin", "need", "have", "fix")
    return {key: _without(str(refusal.get(key) or ""), name) for key in keys}


def _without(text: str, name: str) -> str:
    return re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", "NODE", text) if name else text


def _nearest(nearest: Object) -> Iterator[str]:
    changes = nearest["changes"]
    yield f"Nearest node: {nearest['node']}, {counted(len(changes), 'change')} away:"
    yield from (f"  {i}. {change['fix']}" for i, change in enumerate(changes, 1))


def placements(answer: Object, width: int) -> str:
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
        text += verdict({**pod, "message": "", "scheduler": pod.get("scheduler")}, width)
    for other in answer.get("ignored") or []:
        text += f"\n{other['kind']}/{other['name']}: {other['why']}\n"
    return text
