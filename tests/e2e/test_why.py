"""Broken manifests, each with a planted cause: `sampan why` names it and no other, as data and in words.

Each file of `data/broken` says in its head what is asked (`ask`), the codes of the planted causes (`cause`), words that
the answer must have (`words`, separated by `;`), and what is done (`do`, a kubectl command) once the pod that is asked
about, or the one named by `after`, runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab import SAMPAN, Cluster, eventually, run

pytestmark = pytest.mark.e2e

BROKEN = Path(__file__).parent / "data" / "broken"
NAMESPACE = "broken"
TAINT = "test/dedicated=yes:NoSchedule"


@dataclass(frozen=True)
class Case:
    name: str
    ask: str
    causes: list[str]
    words: tuple[str, ...]
    do: tuple[str, ...]
    after: str

    @classmethod
    def read(cls, path: Path) -> Case:
        lines = path.read_text().splitlines()
        head = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
        words = tuple(word.strip() for word in head["words"].split(";"))
        return cls(
            path.stem,
            head["ask"],
            head["cause"].split(", "),
            words,
            tuple(head.get("do", "").split()),
            head.get("after", head["ask"]),
        )

    def missing(self, answer: dict[str, Any]) -> str:
        """What the answer lacks; "" when it names the planted causes and no other, with their words."""
        findings = answer["findings"]
        if [finding["cause"] for finding in findings] != self.causes:
            return f"{self.name}: not {self.causes} but {findings}"
        told = json.dumps(findings, ensure_ascii=False).replace('\\"', '"')
        lacking = [word for word in self.words if word not in told]
        return f"{self.name}: no {lacking} in {told}" if lacking else ""


CASES = [Case.read(path) for path in sorted(BROKEN.glob("*.yaml"))]


@pytest.fixture
def roles(cluster: Cluster) -> Iterator[None]:
    """One node tainted, one cordoned, one as it was."""
    nodes = [node["metadata"]["name"] for node in cluster.items("nodes")]
    tainted, cordoned, plain = nodes
    cluster.kubectl("label", "node", tainted, "test/role=tainted")
    cluster.kubectl("label", "node", cordoned, "test/role=cordoned")
    cluster.kubectl("label", "node", plain, "test/role=plain")
    cluster.kubectl("taint", "node", tainted, TAINT)
    cluster.kubectl("cordon", cordoned)
    yield
    cluster.kubectl("uncordon", cordoned)
    cluster.kubectl("taint", "node", tainted, TAINT + "-")
    cluster.kubectl("label", "node", *nodes, "test/role-")


@pytest.fixture
def broken(cluster: Cluster, roles: None) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl(
        "delete", "pods,rs,rc,cm", "--all", "-n", NAMESPACE, "--grace-period=0", "--force", "--wait=false", check=False
    )
    for namespace, name in (
        (NAMESPACE, "pod/finalizer"),
        (NAMESPACE, "cm/config-map"),
        ("broken-namespace", "cm/kept"),
        *(
            (NAMESPACE, f"pod/{p['metadata']['name']}")
            for p in cluster.items("pods", "-n", NAMESPACE, "-l", "app=foreground")
        ),
    ):
        cluster.kubectl(
            "patch", name, "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}', check=False
        )
    cluster.kubectl("delete", "priorityclass", "broken-important", check=False)
    cluster.kubectl("delete", "namespace", NAMESPACE, "broken-namespace", "--wait=false", check=False)


def apply_all(cluster: Cluster) -> None:
    files = sorted(BROKEN.glob("*.yaml"))
    elsewhere = [path for path in files if "kind: Namespace" in path.read_text()]
    for options, chosen in ((["-n", NAMESPACE], set(files) - set(elsewhere)), ([], elsewhere)):
        cluster.kubectl("apply", *options, *(word for path in sorted(chosen) for word in ("-f", str(path))))


def why(cluster: Cluster, *words: str) -> list[dict[str, Any]]:
    done = run(SAMPAN, "why", "-o", "json", "-n", NAMESPACE, *words, env=cluster.environment())
    answer = json.loads(done.stdout)
    return answer if isinstance(answer, list) else [answer]


def test_at_least_forty_causes_are_planted() -> None:
    assert len(CASES) >= 40


def test_why_names_every_planted_cause(cluster: Cluster, broken: str) -> None:
    apply_all(cluster)
    left = [case for case in CASES if not case.do]
    # Once before the rest is made ready: a pod on a node that does not exist is collected after a while.
    unnamed(cluster, left)
    for case in (case for case in CASES if case.do):
        eventually(lambda case=case: _is_settled(cluster, case), f"{case.after} is there")
        cluster.kubectl(*case.do, "-n", broken)
        left.append(case)
    eventually(lambda: _none(unnamed(cluster, left)), "every planted cause is named", pause=0.5)
    nodes = why(cluster, *(f"node/{node['metadata']['name']}" for node in cluster.items("nodes")))
    assert sorted(node["findings"][0]["cause"] for node in nodes) == ["NodeCordoned", "NodeTainted", "NothingWrong"]


def unnamed(cluster: Cluster, left: list[Case]) -> list[str]:
    """Takes those out of `left` whose cause is named, and says of the others what is lacking."""
    answers = why(cluster, *(case.ask for case in left))
    lacking = {case.name: case.missing(answer) for case, answer in zip(left, answers, strict=True)}
    left[:] = [case for case in left if lacking[case.name]]
    return [said for said in lacking.values() if said]


def _none(lacking: list[str]) -> bool:
    assert not lacking, "\n".join(lacking)
    return True


def _is_settled(cluster: Cluster, case: Case) -> bool:
    """What is deleted must have come to the state whose deletion is broken."""
    kind, _, name = case.after.partition("/")
    if kind == "pod":
        status = cluster.get("pod", name, "-n", NAMESPACE).get("status", {})
        return status.get("phase") == "Running"
    if kind == "rs":
        return bool(cluster.items("pods", "-n", NAMESPACE, "-l", f"app={name}"))
    return True
