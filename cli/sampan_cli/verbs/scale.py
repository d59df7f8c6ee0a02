"""`sampan scale`."""

from __future__ import annotations

import argparse

from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.rest import MERGE_PATCH
from sampan_cli.session import Session, Target, from_args, targets


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="TYPE[/NAME] [NAME...]")
    parser.add_argument("-f", "--filename", action="append", default=[])
    parser.add_argument("--replicas", type=int, required=True)
    parser.add_argument("--current-replicas", type=int, default=-1, help="only if it has so many now")


def run(args: argparse.Namespace) -> int:
    if args.replicas < 0:
        raise UsageError("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    session = from_args(args)
    if args.filename:
        from sampan_cli.manifests import objects
        from sampan_cli.verbs.apply import resource_of

        found = [
            Target(resource_of(session, source, obj), obj["metadata"]["name"]) for source, obj in objects(args.filename)
        ]
    elif args.words:
        found = targets(session, args.words, need_name=True)
    else:
        raise UsageError("You must provide one or more resources by argument or filename.")
    for target in found:
        _scale(session, target, args)
        print(f"{target.resource.qualified_singular}/{target.name} scaled")
    return 0


def _scale(session: Session, target: Target, args: argparse.Namespace) -> None:
    path = target.resource.path(session.namespace, target.name, "scale")
    if args.current_replicas >= 0:
        now = session.api.call("GET", path)["spec"].get("replicas", 0)
        if now != args.current_replicas:
            raise CliError(f"error: Expected replicas to be {args.current_replicas}, was {now}")
    try:
        session.api.call("PATCH", path, None, {"spec": {"replicas": args.replicas}}, MERGE_PATCH)
    except ServerError as error:
        if error.reason == "NotFound" and "could not find the requested resource" in error.message:
            raise CliError(f"error: cannot scale {target.resource.qualified}") from error
        raise
