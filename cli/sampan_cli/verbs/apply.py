"""`sampan apply`: three-way merge on this side, as kubectl's client-side apply does it, with its annotation."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from sampan_cli import threeway
from sampan_cli.discovery import Resource
from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.manifests import objects
from sampan_cli.rest import MERGE_PATCH, STRATEGIC_PATCH
from sampan_cli.session import Session, from_args

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl-client-side-apply"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--filename", action="append", default=[], help="file, directory or - (again for more)")
    parser.add_argument("-R", "--recursive", action="store_true", help="directories with their subdirectories")
    parser.add_argument("--dry-run", choices=("none", "server"), default="none")
    parser.add_argument("-o", "--output", choices=("", "name"), default="")


def run(args: argparse.Namespace) -> int:
    if not args.filename:
        raise UsageError("must specify -f: the file with the objects")
    code = 0
    for line in apply(from_args(args), args):
        print(line)
    return code


def apply(session: Session, args: argparse.Namespace) -> Iterator[str]:
    """One line per object, as it is done."""
    suffix = " (server dry run)" if args.dry_run == "server" else ""
    for source, obj in objects(args.filename, args.recursive, "apply"):
        resource = resource_of(session, source, obj)
        name = obj["metadata"].get("name")
        if not name:
            prefix = obj["metadata"].get("generateName", "")
            said = f"from {prefix}: cannot use generate name with apply" if prefix else "resource name may not be empty"
            raise UsageError(said)
        result = _apply_one(session, resource, source, obj, args)
        label = f"{resource.qualified_singular}/{name}"
        yield label if args.output == "name" else f"{label} {result}{suffix}"


def resource_of(session: Session, source: str, obj: dict[str, Any]) -> Resource:
    resource = session.discovery.for_object(obj["apiVersion"], obj["kind"])
    if resource is None:
        raise CliError(
            f'error: resource mapping not found for name: "{obj["metadata"].get("name", "")}" namespace: '
            f'"{obj["metadata"].get("namespace", "")}" from "{source}": no matches for kind "{obj["kind"]}" in version '
            f'"{obj["apiVersion"]}"\nensure CRDs are installed first'
        )
    return resource


def annotated(obj: dict[str, Any]) -> dict[str, Any]:
    """With the annotation that keeps what was applied, written as Go writes it (sorted keys, a newline)."""
    metadata = obj["metadata"]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != LAST_APPLIED}
    plain = {**obj, "metadata": {**metadata, "annotations": annotations}}
    text = json.dumps(plain, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    # As Go's encoder spells them: another spelling than kubectl's would make its next apply say "configured".
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return {**obj, "metadata": {**metadata, "annotations": {**annotations, LAST_APPLIED: text}}}


def _apply_one(session: Session, resource: Resource, source: str, obj: dict[str, Any], args: argparse.Namespace) -> str:
    namespace = session.namespace_for(obj, source) if resource.namespaced else ""
    if resource.namespaced:
        obj = {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}
    wanted = annotated(obj)
    path = resource.path(namespace, obj["metadata"]["name"])
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
    if args.dry_run == "server":
        query["dryRun"] = "All"
    try:
        live = session.api.call("GET", path)
    except ServerError as error:
        if error.reason != "NotFound":
            raise
        try:
            session.api.call("POST", resource.path(namespace), query, wanted)
        except ServerError as refused:
            raise _creating(refused, source) from refused
        return "created"
    change, content_type = plan_patch(wanted, live)
    if not change:
        return "unchanged"
    try:
        session.api.call("PATCH", path, query, change, content_type)
    except ServerError as refused:
        raise _applying(refused, source, change, resource, obj) from refused
    return "configured"


def _creating(error: ServerError, source: str) -> ServerError:
    return error if error.reason == "Invalid" else error.within(f'error when creating "{source}"')


def _applying(
    error: ServerError, source: str, change: dict[str, Any], resource: Resource, obj: dict[str, Any]
) -> ServerError:
    if error.reason == "Invalid":
        return error
    text = json.dumps(change, separators=(",", ":"), sort_keys=True)
    return error.within(
        f"error when applying patch:\n{text}\nto:\nResource: {resource.qualified}, Name: "
        f'"{obj["metadata"]["name"]}", Namespace: "{obj["metadata"].get("namespace", "")}"\nfor: "{source}"'
    )


def plan_patch(wanted: dict[str, Any], live: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The patch and its content type; an empty patch = nothing to do."""
    from sampan_api.scheme import UnknownKind, model_for

    recorded = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    last = json.loads(recorded) if recorded else {}
    try:
        model = model_for(wanted["apiVersion"], wanted["kind"])
    except UnknownKind:
        model = None
    change = threeway.patch(last, wanted, live, model)
    return _meaningful(change, last, wanted), STRATEGIC_PATCH if model else MERGE_PATCH


def _meaningful(change: dict[str, Any], last: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """A last-applied annotation that says the same in other words (another client's spelling) is no change."""
    metadata = change.get("metadata") or {}
    if (
        set(change) != {"metadata"}
        or set(metadata) != {"annotations"}
        or set(metadata["annotations"]) != {LAST_APPLIED}
    ):
        return change
    now = json.loads(wanted["metadata"]["annotations"][LAST_APPLIED])
    return {} if now == last else change
