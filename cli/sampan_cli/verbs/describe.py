"""`sampan describe`: pods, nodes and ReplicaSets as kubectl lays them out; other kinds by their fields; events last."""

from __future__ import annotations

import argparse
from typing import Any

from sampan_cli import description
from sampan_cli.ages import age
from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.session import Session, Target, from_args, targets
from sampan_cli.table import Columns
from sampan_cli.why.facts import last_seen


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="TYPE[/NAME] [NAME...]")
    parser.add_argument("-l", "--selector", default="")
    parser.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("--show-events", choices=("true", "false"), default="true")


def run(args: argparse.Namespace) -> int:
    if not args.words:
        raise UsageError("You must specify the type of resource to describe.")
    session = from_args(args)
    texts = [
        _describe(session, target, obj, args.show_events == "true")
        for target in targets(session, args.words)
        for obj in _objects(session, target, args)
    ]
    if not texts:
        raise CliError(f"No resources found in {session.namespace} namespace.", exit_code=0)
    print("\n\n\n".join(texts))
    return 0


def _objects(session: Session, target: Target, args: argparse.Namespace) -> list[dict[str, Any]]:
    """By exact name; else, as kubectl does, by prefix."""
    namespace = "" if args.all_namespaces else session.namespace
    try:
        query = {"labelSelector": args.selector} if args.selector and not target.name else None
        answer = session.api.call("GET", target.resource.path(namespace, target.name), query)
    except ServerError as error:
        if error.reason != "NotFound" or not target.name:
            raise
        items = session.api.call("GET", target.resource.path(namespace)).get("items") or []
        matching = [item for item in items if item["metadata"]["name"].startswith(target.name)]
        if not matching:
            raise
        return matching
    return [answer] if target.name else list(answer["items"])


def _describe(session: Session, target: Target, obj: dict[str, Any], with_events: bool) -> str:
    kind = target.resource.kind
    if kind == "Node":
        text = description.node(obj, _pods_of_node(session, obj["metadata"]["name"]))
    elif kind == "ReplicaSet":
        text = description.replica_set(obj, _selected_pods(session, obj))
    elif kind == "Pod":
        text = description.pod(obj)
    else:
        text = description.generic(obj, target.resource.api_version, kind)
    return text + (_events(session, obj, kind) if with_events else "")


def _pods_of_node(session: Session, name: str) -> list[dict[str, Any]]:
    query = {"fieldSelector": f"spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed"}
    return list(session.api.call("GET", "/api/v1/pods", query)["items"])


def _selected_pods(session: Session, obj: dict[str, Any]) -> list[dict[str, Any]]:
    labels = obj["spec"]["selector"].get("matchLabels") or {}
    query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items())}
    path = f"/api/v1/namespaces/{obj['metadata']['namespace']}/pods"
    pods = session.api.call("GET", path, query)["items"]
    uid = obj["metadata"]["uid"]
    return [p for p in pods if any(o["uid"] == uid for o in p["metadata"].get("ownerReferences") or [])]


def _events(session: Session, obj: dict[str, Any], kind: str) -> str:
    metadata = obj["metadata"]
    selector = {"involvedObject.kind": kind, "involvedObject.name": metadata["name"]}
    if kind != "Node":
        selector["involvedObject.uid"] = metadata["uid"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/events" if metadata.get("namespace") else "/api/v1/events"
    query = {"fieldSelector": ",".join(f"{k}={v}" for k, v in selector.items())}
    events = session.api.call("GET", path, query)["items"]
    if not events:
        return "Events:  <none>"
    rows = [["  Type", "Reason", "Age", "From", "Message"], ["  ----", "------", "----", "----", "-------"]]
    rows += [_event_row(event) for event in sorted(events, key=last_seen)]
    lines = Columns().text(rows).splitlines()
    return "Events:\n" + "\n".join(lines)


def _event_row(event: dict[str, Any]) -> list[str]:
    count = (event.get("series") or {}).get("count") or event.get("count") or 1
    first = event.get("firstTimestamp") or event.get("eventTime") or ""
    when = age(last_seen(event))
    if count > 1:
        when = f"{when} (x{count} over {age(first)})"
    source = event.get("reportingComponent") or (event.get("source") or {}).get("component") or ""
    message = str(event.get("message", "")).strip().replace("\n", " ")
    return [f"  {event.get('type', '')}", event.get("reason", ""), when, source, message]
