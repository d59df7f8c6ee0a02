"""`sampan get`: the server's own tables, or the objects as yaml, json or names."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from sampan_cli.discovery import Resource
from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.output import print_data
from sampan_cli.rest import JSON
from sampan_cli.session import Session, Target, from_args, targets
from sampan_cli.table import Columns

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
FORMATS = ("", "wide", "yaml", "json", "name")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="TYPE[/NAME] [NAME...]")
    parser.add_argument("-f", "--filename", action="append", default=[], help="the objects that these files name")
    parser.add_argument("-o", "--output", default="", metavar="wide|yaml|json|name")
    parser.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("-l", "--selector", default="", help="labels, such as app=web,tier!=db")
    parser.add_argument("--field-selector", default="", help="fields, such as status.phase=Running")
    parser.add_argument("-w", "--watch", action="store_true", help="go on with every change")
    parser.add_argument("--watch-only", action="store_true", help="changes only")
    parser.add_argument("--no-headers", action="store_true")
    parser.add_argument("--show-labels", action="store_true")
    parser.add_argument("-L", "--label-columns", action="append", default=[], metavar="LABEL")
    parser.add_argument("--show-managed-fields", action="store_true")
    parser.add_argument("--ignore-not-found", action="store_true")
    parser.add_argument("--raw", default="", metavar="PATH", help="print what the server answers to this path")
    parser.add_argument("--chunk-size", type=int, default=500, help="objects per request; 0 = all at once")


def defaults(**given: Any) -> argparse.Namespace:
    """The flags' defaults, for callers inside the program."""
    parser = argparse.ArgumentParser()
    configure(parser)
    return argparse.Namespace(**{**vars(parser.parse_args([])), **given})


def run(args: argparse.Namespace) -> int:
    session = from_args(args)
    if args.raw:
        sys.stdout.write(session.api.text(args.raw))
        return 0
    if args.output not in FORMATS:
        allowed = "json,name,wide,yaml"
        raise UsageError(
            f'unable to match a printer suitable for the output format "{args.output}", allowed formats are: {allowed}'
        )
    if args.filename:
        from sampan_cli.manifests import objects

        found = []
        for source, obj in objects(args.filename):
            resource = session.discovery.for_object(obj["apiVersion"], obj["kind"])
            if resource is None:
                raise UsageError(f'no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}" ({source})')
            found.append(Target(resource, obj["metadata"].get("name", "")))
        return show(session, found, args)
    if not args.words:
        raise CliError(
            "You must specify the type of resource to get, such as pods, nodes or rs.\n\n"
            "error: Required resource not specified.\nSee 'sampan get --help' for usage."
        )
    return show(session, targets(session, args.words), args)


def show(session: Session, wanted: list[Target], args: argparse.Namespace) -> int:
    if args.output in ("", "wide"):
        return _tables(session, wanted, args)
    if args.watch or args.watch_only:
        return _watch_objects(session, wanted[0], args)
    return _objects(session, wanted, args)


def _path(session: Session, target: Target, args: argparse.Namespace) -> str:
    namespace = "" if args.all_namespaces else session.namespace
    return target.resource.path(namespace, target.name)


def _query(target: Target, args: argparse.Namespace) -> dict[str, str]:
    if target.name:
        return {}
    query = {"labelSelector": args.selector, "fieldSelector": args.field_selector}
    return {key: value for key, value in query.items() if value}


def _list(session: Session, target: Target, args: argparse.Namespace, accept: str) -> list[dict[str, Any]]:
    """The pages of a list (or one object as the only page)."""
    query = _query(target, args)
    if args.chunk_size and not target.name:
        query["limit"] = str(args.chunk_size)
    pages = []
    while True:
        try:
            page = session.api.call("GET", _path(session, target, args), query, accept=accept)
        except ServerError as error:
            raise _about_selectors(error, target, args) from error
        pages.append(page)
        token = page.get("metadata", {}).get("continue") if not target.name else ""
        if not token:
            return pages
        query["continue"] = token


def _about_selectors(error: ServerError, target: Target, args: argparse.Namespace) -> ServerError:
    if error.reason != "BadRequest" or target.name:
        return error
    resource = target.resource
    return error.within(
        f'Unable to find "{resource.group}/{resource.version}, Resource={resource.plural}" that match'
        f' label selector "{args.selector}", field selector "{args.field_selector}"'
    )


def _tables(session: Session, wanted: list[Target], args: argparse.Namespace) -> int:
    """One table per resource. A missing name is reported and the others are printed all the same."""
    code, printed, revision = 0, 0, ""
    printers: dict[Resource, _Printer] = {}
    several = len({target.resource for target in wanted}) > 1
    groups: dict[Resource, list[dict[str, Any]]] = {}
    for target in wanted:
        if args.watch_only:
            continue
        try:
            pages = _list(session, target, args, TABLE)
        except ServerError as error:
            if not (args.ignore_not_found and error.reason == "NotFound"):
                print(error.message, file=sys.stderr)
                code = 1
            continue
        revision = pages[-1].get("metadata", {}).get("resourceVersion", "")
        groups.setdefault(target.resource, []).extend(pages)
    for resource, pages in groups.items():
        rows = [row for page in pages for row in page.get("rows") or []]
        printer = printers[resource] = _Printer(resource, args, several)
        if rows:
            if printed:
                print()
            printer.header(pages[0]["columnDefinitions"])
            printer.rows(rows)
            printed += len(rows)
    if not printed and code == 0 and not args.watch_only and not args.ignore_not_found:
        _nothing(session, wanted, args)
    sys.stdout.flush()
    if code == 0 and (args.watch or args.watch_only):
        target = wanted[0]
        return _watch_table(session, target, args, revision, printers.get(target.resource))
    return code


def _nothing(session: Session, wanted: list[Target], args: argparse.Namespace) -> None:
    if args.all_namespaces or not any(target.resource.namespaced for target in wanted):
        print("No resources found", file=sys.stderr)
    else:
        print(f"No resources found in {session.namespace} namespace.", file=sys.stderr)


class _Printer:
    """Rows of one resource. Remembers which columns are shown and how wide they are."""

    def __init__(self, resource: Resource, args: argparse.Namespace, several: bool) -> None:
        self._prefix = f"{resource.qualified_singular}/" if several else ""
        self._namespaced = resource.namespaced and args.all_namespaces
        self._args = args
        self._columns = Columns()
        self._shown: list[int] = []
        self._names: list[str] = []
        self._dates: set[int] = set()
        self._name_column = -1
        self._header: list[str] | None = None

    def header(self, definitions: list[dict[str, Any]]) -> None:
        wide = self._args.output == "wide"
        self._shown = [i for i, column in enumerate(definitions) if wide or not column.get("priority")]
        self._dates = {i for i, column in enumerate(definitions) if column.get("type") == "date"}
        named = [i for i, column in enumerate(definitions) if column.get("format") == "name"]
        self._name_column = named[0] if named else -1
        labels = [label for given in self._args.label_columns for label in given.split(",")]
        self._names = labels
        header = ["NAMESPACE"] if self._namespaced else []
        header += [definitions[i]["name"].upper() for i in self._shown]
        header += [label.rpartition("/")[2].upper() for label in labels]
        header += ["LABELS"] if self._args.show_labels else []
        self._header = None if self._args.no_headers else header

    def rows(self, rows: list[dict[str, Any]]) -> None:
        lines = [self._cells(row) for row in rows]
        if self._header is not None:
            lines.insert(0, self._header)
            self._header = None
        sys.stdout.write(self._columns.text(lines))

    def _cells(self, row: dict[str, Any]) -> list[str]:
        metadata = (row.get("object") or {}).get("metadata") or {}
        labels = metadata.get("labels") or {}
        cells = [metadata.get("namespace", "")] if self._namespaced else []
        cells += [self._cell(row["cells"][i], i) for i in self._shown]
        cells += [labels.get(name, "") for name in self._names]
        if self._args.show_labels:
            cells.append(",".join(f"{k}={v}" for k, v in sorted(labels.items())) or "<none>")
        return cells

    def _cell(self, value: Any, index: int) -> str:
        if index == self._name_column:
            return f"{self._prefix}{value}"
        if index in self._dates and isinstance(value, str):
            from sampan_cli.ages import age

            return age(value)
        if value is None:
            return "<none>"
        return str(value).lower() if isinstance(value, bool) else str(value).split("\n", 1)[0]


def _watch_events(session: Session, target: Target, args: argparse.Namespace, revision: str, accept: str) -> Any:
    query = _query(target, args)
    if target.name:
        query["fieldSelector"] = f"metadata.name={target.name}"
    query |= {"watch": "true", "resourceVersion": revision}
    path = _path(session, Target(target.resource), args)
    with session.api.stream(path, query, accept) as answer:
        for line in answer.lines():
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise ServerError(event["object"].get("code", 500), event["object"])
            if event["type"] != "BOOKMARK":
                yield event


def _watch_table(
    session: Session, target: Target, args: argparse.Namespace, revision: str, printer: _Printer | None
) -> int:
    printer = printer or _Printer(target.resource, args, several=False)
    started = printer._shown != []
    for event in _watch_events(session, target, args, revision or "0", TABLE):
        table = event["object"]
        if not started:
            printer.header(table["columnDefinitions"])
            started = True
        printer.rows(table.get("rows") or [])
        sys.stdout.flush()
    return 0


def _watch_objects(session: Session, target: Target, args: argparse.Namespace) -> int:
    revision = ""
    if not args.watch_only:
        pages = _list(session, target, args, JSON)
        revision = pages[0].get("metadata", {}).get("resourceVersion", "")
        for obj in _items(pages, target):
            _print(obj, args, target.resource)
    for event in _watch_events(session, target, args, revision or "0", JSON):
        _print(event["object"], args, target.resource)
        sys.stdout.flush()
    return 0


def _items(pages: list[dict[str, Any]], target: Target) -> list[dict[str, Any]]:
    """Items of a list carry no kind on the wire; printed alone they need it."""
    if target.name:
        return pages
    kind = {"apiVersion": target.resource.api_version, "kind": target.resource.kind}
    return [{**kind, **item} for page in pages for item in page["items"] or []]


def _objects(session: Session, wanted: list[Target], args: argparse.Namespace) -> int:
    code = 0
    found: list[tuple[dict[str, Any], Resource]] = []
    for target in wanted:
        try:
            found += [(obj, target.resource) for obj in _items(_list(session, target, args, JSON), target)]
        except ServerError as error:
            if not (args.ignore_not_found and error.reason == "NotFound"):
                print(error.message, file=sys.stderr)
                code = 1
    if args.output == "name":
        for obj, resource in found:
            _print(obj, args, resource)
        return code
    if len(wanted) == 1 and wanted[0].name:
        for obj, resource in found:
            _print(obj, args, resource)
        return code
    if not found and code:
        return code
    items = [_cleaned(obj, args) for obj, _ in found]
    envelope = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
    _write(envelope, args.output)
    return code


def _cleaned(obj: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    if args.show_managed_fields or "managedFields" not in obj.get("metadata", {}):
        return obj
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "managedFields"}}


def _print(obj: dict[str, Any], args: argparse.Namespace, resource: Resource) -> None:
    if args.output == "name":
        print(f"{resource.qualified_singular}/{obj['metadata']['name']}")
        return
    _write(_cleaned(obj, args), args.output, document=args.watch or args.watch_only)


def _write(value: dict[str, Any], output: str, document: bool = False) -> None:
    if document and output == "yaml":
        print("---")
    print_data(value, output, sort_keys=True)
