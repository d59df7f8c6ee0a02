"""`sampan whatif`: where the pods of a file would go and whom they would evict. Changes nothing."""

from __future__ import annotations

import argparse

from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.output import print_data
from sampan_cli.session import from_args
from sampan_cli.table import terminal_width
from sampan_cli.verbs.why import scheduler_api


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--filename", action="append", default=[], help="file, directory or - (again for more)")
    parser.add_argument("-R", "--recursive", action="store_true", help="directories with their subdirectories")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), default="", help="for programs")
    parser.add_argument("--scheduler", default="", metavar="URL", help="of a scheduler that runs apart from the master")


def run(args: argparse.Namespace) -> int:
    if not args.filename:
        raise UsageError("must specify -f: the file whose pods are to be placed")
    from sampan_cli.manifests import objects
    from sampan_cli.verbs.apply import resource_of
    from sampan_cli.why import printing

    session = from_args(args)
    given = []
    for source, obj in objects(args.filename, args.recursive, "ask about"):
        resource = resource_of(session, source, obj)
        namespace = session.namespace_for(obj, source) if resource.namespaced else ""
        given.append({**obj, "metadata": {**obj["metadata"], **({"namespace": namespace} if namespace else {})}})
    try:
        answer = scheduler_api(session, args.scheduler).call("POST", "/sampan/v1/whatif", None, {"objects": given})
    except ServerError as error:
        if error.code in (404, 405) and not error.status.get("details"):
            raise CliError(
                "error: this server does not answer what would happen: it is no Sampan master"
                " (a Sampan scheduler beside it does: --scheduler URL)"
            ) from error
        if error.code == 503 and not args.scheduler:
            raise CliError(f"{error.message} (one that runs apart is asked with --scheduler URL)") from error
        raise
    if args.output:
        print_data(answer, args.output)
    else:
        print(printing.placements(answer, terminal_width()), end="")
    return 0
