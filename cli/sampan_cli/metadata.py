"""What `label` and `annotate` share: reading `key=value` and `key-`, and the patch they make."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from sampan_cli.errors import CliError, UsageError
from sampan_cli.rest import MERGE_PATCH
from sampan_cli.session import Session, Target, from_args, targets


@dataclass(frozen=True)
class Words:
    field: str
    one: str
    done: str
    removed: str
    manager: str


LABELS = Words("labels", "label", "labeled", "unlabeled", "kubectl-label")
ANNOTATIONS = Words("annotations", "annotation", "annotated", "annotated", "kubectl-annotate")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="TYPE[/NAME] [NAME...] KEY=VALUE|KEY-")
    parser.add_argument("--overwrite", action="store_true", help="of keys that have another value now")
    parser.add_argument("-l", "--selector", default="")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true", help="print them")


def run(args: argparse.Namespace, words: Words) -> int:
    objects, changes = _split(args.words)
    if not objects:
        raise UsageError("one or more resources must be specified as <resource> <name> or <resource>/<name>")
    if not changes and not args.list:
        raise UsageError(f"at least one {words.one} update is required")
    session = from_args(args)
    found = targets(session, objects)
    if not all(target.name for target in found):
        if not (args.selector or args.all):
            raise UsageError("resource(s) were provided, but no name was specified")
        found = [each for target in found for each in _selected(session, target, args.selector)]
    for target in found:
        _change(session, target, changes, words, args)
    return 0


def _split(given: list[str]) -> tuple[list[str], dict[str, str | None]]:
    """The objects come first; the first word with `=` or with `-` at its end begins the changes."""
    objects: list[str] = []
    changes: dict[str, str | None] = {}
    for word in given:
        key, equals, value = word.partition("=")
        if equals:
            changes[key] = value
        elif word.endswith("-") and objects:
            changes[word[:-1]] = None
        else:
            objects.append(word)
    return objects, changes


def _selected(session: Session, target: Target, selector: str) -> list[Target]:
    query = {"labelSelector": selector} if selector else None
    listed = session.api.call("GET", target.resource.path(session.namespace), query)
    return [Target(target.resource, item["metadata"]["name"]) for item in listed["items"]]


def _change(
    session: Session, target: Target, changes: dict[str, str | None], words: Words, args: argparse.Namespace
) -> None:
    path = target.resource.path(session.namespace, target.name)
    label = f"{target.resource.qualified_singular}/{target.name}"
    now: dict[str, str] = session.api.call("GET", path)["metadata"].get(words.field) or {}
    if args.list:
        for key, value in sorted(now.items()):
            print(f"{key}={value}")
        return
    _refuse_overwriting(now, changes, words, args.overwrite)
    for key, change in changes.items():
        if change is None and key not in now:
            print(f'{words.one} "{key}" not found.')
    wanted: dict[str, Any] = {k: v for k, v in changes.items() if now.get(k) != v}
    if not wanted:
        print(f"{label} not {words.done}")
        return
    body = {"metadata": {words.field: wanted}}
    session.api.call("PATCH", path, {"fieldManager": words.manager}, body, MERGE_PATCH)
    print(f"{label} {words.removed if all(v is None for v in wanted.values()) else words.done}")


def _refuse_overwriting(now: dict[str, str], changes: dict[str, str | None], words: Words, overwrite: bool) -> None:
    if overwrite:
        return
    for key, value in changes.items():
        if value is not None and key in now and now[key] != value:
            if words is LABELS:
                raise CliError(f"error: '{key}' already has a value ({now[key]}), and --overwrite is false")
            raise CliError(
                f"error: --overwrite is false but found the following declared annotation(s): '{key}' already"
                f" has a value ({now[key]})"
            )
