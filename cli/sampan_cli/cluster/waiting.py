"""What `up` waits for, through the API alone: it answers, the nodes are Ready, the pods of the first manifest run."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sampan_cli import kubeconfig, session
from sampan_cli.cluster import identity, record
from sampan_cli.cluster.plan import Component, Plan
from sampan_cli.cluster.settings import kubeconfig_of
from sampan_cli.discovery import Discovery
from sampan_cli.errors import CliError, ClusterError
from sampan_cli.kubeconfig import cluster_flag
from sampan_cli.rest import Api
from sampan_cli.session import Session

POLL_SECONDS = 0.05
TOO_MANY_STARTS = 5
"""A component started so often while `up` waits does not come up by itself any more."""

Say = Callable[[str], None]


def _until(
    question: Callable[[], bool], plan: Plan, timeout: float, what: Callable[[], str], see: str = "status --logs"
) -> None:
    """Polls; on time-out, or when a process keeps dying, says what is missing and shows that log's end. `see` is the
    verb that tells more."""
    deadline = time.monotonic() + timeout
    while not _answered(question):
        failing = crash_looping(plan)
        if failing:
            raise ClusterError(f"{failing.name} does not stay up; its log {failing.log} ends with\n{tail(failing.log)}")
        if time.monotonic() > deadline:
            raise ClusterError(
                f"not within {timeout:g} s: {what()}\nSee: sampan {see}{cluster_flag(plan.settings.cluster)}"
            )
        time.sleep(POLL_SECONDS)


def _answered(question: Callable[[], bool]) -> bool:
    """No answer is none yet: a master that has just been there may be starting again."""
    try:
        return question()
    except CliError:
        return False


def crash_looping(plan: Plan) -> Component | None:
    for component in record.load_components(plan.settings.cluster):
        recorded = identity.read(record.process_path(plan.settings.cluster, component.name))
        if recorded and recorded.generation > TOO_MANY_STARTS and not recorded.alive():
            return component
    return None


def tail(path: str) -> str:
    try:
        lines = Path(path).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return "  (there is no log)"
    return "\n".join(f"  {line}" for line in lines[-15:])


def wait_for_api(plan: Plan, timeout: float, say: Say) -> Session:
    path = kubeconfig_of(plan.settings.cluster)
    opened: list[Api] = []

    def ready() -> bool:
        if not path.exists():
            return False
        try:
            api = Api(kubeconfig.load(str(path)), timeout=5)
            if api.text("/readyz") != "ok":
                return False
        except CliError:
            return False
        opened.append(api)
        return True

    _until(ready, plan, timeout, lambda: "the API server is ready")
    api = opened[-1]
    say(f"API ready at {api.access.server}")
    return Session(api, Discovery(api), "default", explicit_namespace=False)


def wait_for_nodes(active: Session, plan: Plan, timeout: float, say: Say) -> None:
    missing: set[str] = {node.name for node in plan.nodes}

    def ready() -> bool:
        for node in active.api.call("GET", "/api/v1/nodes")["items"]:
            name = node["metadata"]["name"]
            if name in missing and _condition(node, "Ready"):
                missing.discard(name)
                say(f"{name} Ready")
        return not missing

    _until(ready, plan, timeout, lambda: f"Ready: {', '.join(sorted(missing))}")


def _condition(obj: dict[str, Any], kind: str) -> bool:
    conditions = obj.get("status", {}).get("conditions") or []
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def apply_manifest(active: Session, path: Path, say: Say) -> None:
    from sampan_cli.verbs import apply

    args = argparse.Namespace(filename=[str(path)], recursive=False, dry_run="none", output="", server_side=False)
    for line in apply.apply(active, args):
        say(line)


def wait_for_pods(active: Session, plan: Plan, timeout: float, say: Say) -> None:
    """Every ReplicaSet of the default namespace has its pods Ready."""
    state = {"text": "the ReplicaSets of hello.yaml", "first": ""}

    def ready() -> bool:
        sets = active.api.call("GET", "/apis/apps/v1/namespaces/default/replicasets")["items"]
        counts = [(s["status"].get("readyReplicas", 0), s["spec"]["replicas"], s["metadata"]["name"]) for s in sets]
        state["text"] = ", ".join(f"{name} {got}/{want} Ready" for got, want, name in counts)
        if not state["first"] and any(got for got, _, _ in counts):
            state["first"] = "seen"
            say("first pod Ready")
        return bool(counts) and all(got == want for got, want, _ in counts)

    _until(ready, plan, timeout, lambda: state["text"], see="why rs")
    say(state["text"])


def print_pods(active: Session) -> None:
    from sampan_cli.verbs import get

    args = get.defaults(words=["nodes,pods"], output="wide")
    get.show(active, session.targets(active, args.words), args)
