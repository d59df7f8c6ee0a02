"""`sampan logs`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sampan_cli import containers
from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.session import Session, from_args, seconds


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="POD|TYPE/NAME [CONTAINER]")
    parser.add_argument("-f", "--follow", action="store_true")
    parser.add_argument("-c", "--container", default="")
    parser.add_argument("-l", "--selector", default="")
    parser.add_argument("--all-containers", action="store_true")
    parser.add_argument("--tail", type=int, default=None, help="lines; -1 = all (10 with -l)")
    parser.add_argument("-p", "--previous", action="store_true", help="of the container before the last restart")
    parser.add_argument("--timestamps", action="store_true")
    parser.add_argument("--since", default="", help="such as 5s, 2m, 3h")
    parser.add_argument("--since-time", default="")
    parser.add_argument("--limit-bytes", type=int, default=0)
    parser.add_argument("--prefix", action="store_true", help="each line with [pod/name/container]")
    parser.add_argument("--max-log-requests", type=int, default=5)


def run(args: argparse.Namespace) -> int:
    session = from_args(args)
    if args.selector:
        return _selected(session, args)
    if not args.words:
        raise UsageError(
            "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\n"
            "POD or TYPE/NAME is a required argument for the logs command"
        )
    if len(args.words) > 1:
        args.container = args.container or args.words[1]
    try:
        pod = containers.pod_of(session, args.words[0], announce=True)
    except ServerError as error:
        if error.reason != "NotFound":
            raise
        message = f'{error.status.get("message")} in namespace "{session.namespace}"'
        raise CliError(f"error: error from server (NotFound): {message}") from error
    names = containers.names(pod) if args.all_containers else [containers.choose(pod, args.container)]
    if len(names) == 1:
        _copy(session, pod, names[0], args)
        return 0
    return _many(session, [(pod, name) for name in names], args)


def _list(session: Session, selector: str) -> list[dict[str, Any]]:
    path = f"/api/v1/namespaces/{session.namespace}/pods"
    return list(session.api.call("GET", path, {"labelSelector": selector})["items"])


def _selected(session: Session, args: argparse.Namespace) -> int:
    pods = _list(session, args.selector)
    if not pods:
        print(f"No resources found in {session.namespace} namespace.", file=sys.stderr)
        return 0
    if args.tail is None:
        args.tail = 10
    chosen = [
        (pod, name)
        for pod in pods
        for name in (containers.names(pod) if args.all_containers else [containers.choose(pod, args.container)])
    ]
    return _many(session, chosen, args)


def _many(session: Session, chosen: list[tuple[dict[str, Any], str]], args: argparse.Namespace) -> int:
    if not args.follow:
        for pod, name in chosen:
            _copy(session, pod, name, args)
        return 0
    if len(chosen) > args.max_log_requests:
        raise UsageError(
            f"you are attempting to follow {len(chosen)} log streams, but maximum allowed concurrency is "
            f"{args.max_log_requests}, use --max-log-requests to increase the limit"
        )
    import threading

    from sampan_cli.rest import Api

    threads = []
    for pod, name in chosen:
        own = Session(Api(session.api.access), session.discovery, session.namespace, session.explicit_namespace)
        thread = threading.Thread(target=_copy, args=(own, pod, name, args), daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return 0


def _query(container: str, args: argparse.Namespace) -> dict[str, str]:
    query = {"container": container}
    if args.follow:
        query["follow"] = "true"
    if args.previous:
        query["previous"] = "true"
    if args.timestamps:
        query["timestamps"] = "true"
    if args.tail is not None and args.tail >= 0:
        query["tailLines"] = str(args.tail)
    if args.since:
        query["sinceSeconds"] = str(max(1, round(seconds(args.since))))
    if args.since_time:
        query["sinceTime"] = args.since_time
    if args.limit_bytes:
        query["limitBytes"] = str(args.limit_bytes)
    return query


def _copy(session: Session, pod: dict[str, Any], container: str, args: argparse.Namespace) -> None:
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
    output = sys.stdout.buffer
    head = f"[pod/{metadata['name']}/{container}] ".encode() if args.prefix else b""
    with session.api.stream(path, _query(container, args), accept="*/*") as answer:
        pieces = (head + line + b"\n" for line in answer.lines()) if args.prefix else answer.parts()
        for piece in pieces:
            output.write(piece)
            output.flush()
