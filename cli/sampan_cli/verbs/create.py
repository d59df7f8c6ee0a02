"""`sampan create`: from files, or a namespace or configmap from flags."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.session import Session, from_args

MANAGER = "kubectl-create"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="namespace|configmap NAME")
    parser.add_argument("-f", "--filename", action="append", default=[], help="file, directory or - (again for more)")
    parser.add_argument("-R", "--recursive", action="store_true", help="directories with their subdirectories")
    parser.add_argument("--from-literal", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--from-file", action="append", default=[], metavar="[KEY=]PATH")
    parser.add_argument("--dry-run", choices=("none", "client", "server"), default="none")
    parser.add_argument("-o", "--output", choices=("", "name", "yaml", "json"), default="")


def run(args: argparse.Namespace) -> int:
    session = from_args(args)
    if args.filename:
        from sampan_cli.manifests import objects

        for source, obj in objects(args.filename, args.recursive):
            _create(session, obj, args, source)
        return 0
    if not args.words:
        raise UsageError("must specify -f: the file with the objects")
    obj = _generated(args)
    _create(session, obj, args, "")
    return 0


def _generated(args: argparse.Namespace) -> dict[str, Any]:
    kind, *names = args.words
    if len(names) != 1:
        raise UsageError(f"exactly one NAME is required, got {len(names)}")
    metadata = {"name": names[0]}
    if kind in ("namespace", "ns"):
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    if kind in ("configmap", "cm"):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": _data(args)}
    raise CliError(f'error: unknown object "{kind}": sampan creates from files (-f), namespaces and configmaps')


def _data(args: argparse.Namespace) -> dict[str, str]:
    data = {}
    for literal in args.from_literal:
        key, equals, value = literal.partition("=")
        if not equals:
            raise UsageError(f"invalid literal source {literal}, expected key=value")
        data[key] = value
    for given in args.from_file:
        key, _, path = given.rpartition("=")
        try:
            data[key or Path(path).name] = Path(path).read_text()
        except OSError as error:
            raise UsageError(f"error reading {path}: {str(error.strerror).lower()}") from error
    return data


def _create(session: Session, obj: dict[str, Any], args: argparse.Namespace, source: str) -> None:
    from sampan_cli.verbs.apply import resource_of

    resource = resource_of(session, source, obj)
    namespace = session.namespace_for(obj, source) if resource.namespaced else ""
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
    suffix = {"client": " (dry run)", "server": " (server dry run)"}.get(args.dry_run, "")
    made = obj
    if args.dry_run != "client":
        if args.dry_run == "server":
            query["dryRun"] = "All"
        try:
            made = session.api.call("POST", resource.path(namespace), query, obj)
        except ServerError as error:
            raise _worded(error, source) from error
    label = f"{resource.qualified_singular}/{made['metadata']['name']}"
    if args.output in ("yaml", "json"):
        _print(made, args.output)
    else:
        print(label if args.output == "name" else f"{label} created{suffix}")


def _worded(error: ServerError, source: str) -> ServerError:
    if not source or error.reason == "Invalid":
        return error
    return error.within(f'error when creating "{source}"')


def _print(obj: dict[str, Any], output: str) -> None:
    if output == "json":
        print(json.dumps(obj, indent=4, sort_keys=True, ensure_ascii=False))
        return
    from sampan_api.yaml_text import dump_yaml

    print(dump_yaml(obj), end="")
