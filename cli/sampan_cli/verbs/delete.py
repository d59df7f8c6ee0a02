"""`sampan delete`: by file, by name, by label; waits until the objects are gone, as kubectl does."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.session import Session, Target, from_args, seconds, targets

POLL_SECONDS = 0.2
CASCADES = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="TYPE[/NAME] [NAME...]")
    parser.add_argument("-f", "--filename", action="append", default=[], help="file, directory or - (again for more)")
    parser.add_argument("-R", "--recursive", action="store_true", help="directories with their subdirectories")
    parser.add_argument("-l", "--selector", default="")
    parser.add_argument("--field-selector", default="")
    parser.add_argument("--all", action="store_true", help="every object of the type in the namespace")
    parser.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("--grace-period", type=int, default=-1, help="seconds; 0 only with --force")
    parser.add_argument("--now", action="store_true", help="the same as --grace-period=1")
    parser.add_argument("--force", action="store_true", help="do not wait for the node's confirmation")
    parser.add_argument("--cascade", choices=tuple(CASCADES), nargs="?", const="background", default="background")
    parser.add_argument("--wait", nargs="?", const="true", default="true", choices=("true", "false"))
    parser.add_argument("--timeout", default="0", help="how long to wait; 0 = without end")
    parser.add_argument("--ignore-not-found", action="store_true")
    parser.add_argument("-o", "--output", choices=("", "name"), default="")


def run(args: argparse.Namespace) -> int:
    grace = 1 if args.now else args.grace_period
    if args.force:
        print(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
            "The resource may continue to run on the cluster indefinitely.",
            file=sys.stderr,
        )
        grace = 0 if grace < 0 else grace
    elif grace == 0:
        # kubectl: without --force the node still confirms, after the shortest grace there is.
        grace = 1
    session = from_args(args)
    wanted = list(_wanted(session, args))
    code, gone = 0, []
    for target, namespace in wanted:
        try:
            answer = session.api.call(
                "DELETE", target.resource.path(namespace, target.name), None, _options(args, grace)
            )
        except ServerError as error:
            if not (args.ignore_not_found and error.reason == "NotFound"):
                print(error.message, file=sys.stderr)
                code = 1
            continue
        _say(target, namespace, args)
        gone.append((target, namespace, _uid(answer)))
    if not wanted and code == 0 and not args.ignore_not_found:
        print("No resources found", file=sys.stderr)
    if args.wait == "true" and not args.force:
        _wait(session, gone, args)
    return code


def _wanted(session: Session, args: argparse.Namespace) -> list[tuple[Target, str]]:
    if args.filename:
        from sampan_cli.manifests import objects
        from sampan_cli.verbs.apply import resource_of

        found = []
        for source, obj in objects(args.filename, args.recursive, "delete"):
            resource = resource_of(session, source, obj)
            namespace = session.namespace_for(obj, source) if resource.namespaced else ""
            found.append((Target(resource, obj["metadata"]["name"]), namespace))
        return found
    if not args.words:
        raise UsageError("You must provide one or more resources by argument or filename.")
    named = targets(session, args.words)
    if all(target.name for target in named):
        if args.selector or args.all:
            raise UsageError("name cannot be provided when a selector is specified")
        return [(target, session.namespace if target.resource.namespaced else "") for target in named]
    if not (args.selector or args.field_selector or args.all):
        raise UsageError("resource(s) were provided, but no name was specified")
    return [pair for target in named for pair in _selected(session, target, args)]


def _selected(session: Session, target: Target, args: argparse.Namespace) -> list[tuple[Target, str]]:
    query = {"labelSelector": args.selector, "fieldSelector": args.field_selector}
    namespace = "" if args.all_namespaces else session.namespace
    listed = session.api.call("GET", target.resource.path(namespace), {k: v for k, v in query.items() if v})
    return [
        (Target(target.resource, item["metadata"]["name"]), item["metadata"].get("namespace", ""))
        for item in listed["items"]
    ]


def _options(args: argparse.Namespace, grace: int) -> dict[str, Any]:
    options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
    options["propagationPolicy"] = CASCADES[args.cascade]
    if grace >= 0:
        options["gracePeriodSeconds"] = grace
    return options


def _say(target: Target, namespace: str, args: argparse.Namespace) -> None:
    if args.output == "name":
        print(f"{target.resource.qualified_singular}/{target.name}")
        return
    verb = "force deleted" if args.force else "deleted"
    where = f" from {namespace} namespace" if namespace else ""
    print(f'{target.resource.qualified_singular} "{target.name}" {verb}{where}', flush=True)


def _uid(answer: dict[str, Any]) -> str:
    """A Status names the deleted object in its details, an object that lives on for a while is itself the answer."""
    if answer.get("kind") == "Status":
        return str((answer.get("details") or {}).get("uid", ""))
    return str(answer["metadata"].get("uid", ""))


def _wait(session: Session, gone: list[tuple[Target, str, str]], args: argparse.Namespace) -> None:
    """Until each is gone, or another object has taken its name."""
    limit = seconds(args.timeout)
    deadline = time.monotonic() + limit if limit else None
    for target, namespace, uid in gone:
        while True:
            try:
                live = session.api.call("GET", target.resource.path(namespace, target.name))
            except ServerError as error:
                if error.reason == "NotFound":
                    break
                raise
            if uid and live["metadata"]["uid"] != uid:
                break
            if deadline is not None and time.monotonic() > deadline:
                what = f"{target.resource.plural}/{target.name}"
                raise CliError(f"error: timed out waiting for the condition on {what}")
            time.sleep(POLL_SECONDS)
