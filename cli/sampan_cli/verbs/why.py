"""`sampan why`: what holds an object up, and the smallest thing to do about it.

A type without a name stands for all of that type in the namespace; those that nothing is wrong with are then counted
and not told.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from sampan_cli.errors import CliError, ServerError, UsageError
from sampan_cli.rest import Api
from sampan_cli.session import Session, Target, from_args, targets
from sampan_cli.table import terminal_width


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="TYPE[/NAME]", help="such as pod/web, rs/web, node/n1; pods: all")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), default="", help="for programs")
    parser.add_argument("--scheduler", default="", metavar="URL", help="of a scheduler that runs apart from the master")


class Subject(NamedTuple):
    """`asked_for` by its name, and not found in a list of its type."""

    kind: str
    obj: dict[str, Any]
    asked_for: bool


def run(args: argparse.Namespace) -> int:
    if not args.words:
        raise UsageError("say what: sampan why TYPE/NAME, such as pod/web, rs/web, namespace/x or node/n1")
    from sampan_cli.output import print_data
    from sampan_cli.why.gather import Gatherer

    session = from_args(args)
    session.api.warns = False
    now = time.time()
    gatherer = Gatherer(session, scheduler_api(session, args.scheduler), now)
    wanted = _wanted(session, args.words)
    subjects, code = _subjects(session, wanted)
    told = [(each, found) for each in subjects if (found := _diagnosis(each, gatherer, now))]
    if not args.output:
        print("\n".join(_text(found, args.scheduler) for _, found in told), end="")
        if subjects and not told:
            print(f"Nothing is wrong with the {len(subjects)} that are there.")
        elif not subjects and not code:
            where = f" in {session.namespace} namespace." if any(each.resource.namespaced for each in wanted) else ""
            print(f"No resources found{where}", file=sys.stderr)
    elif told or not code:
        answers = [_data(each, found) for each, found in told]
        print_data(answers[0] if len(wanted) == 1 and wanted[0].name else answers, args.output)
    return code


def scheduler_api(session: Session, url: str) -> Api:
    """Credentials are for the API server; over plain HTTP they are not sent to anybody."""
    if not url:
        return session.api
    access = session.api.access._replace(server=url.rstrip("/"))
    if not url.startswith("https://"):
        access = access._replace(token="")
    return Api(access, session.api.timeout)


def _wanted(session: Session, words: list[str]) -> list[Target]:
    try:
        return targets(session, words)
    except ServerError:
        raise
    except CliError as error:
        if len(words) > 1 or "/" in words[0]:
            raise
        raise CliError(f"{error.message}\nFor an object say TYPE/NAME, such as pod/{words[0]}") from error


def _subjects(session: Session, wanted: list[Target]) -> tuple[list[Subject], int]:
    """The objects that are there, and the exit code. What is not there is told on stderr; then the
    code is 1."""
    found, code = [], 0
    for target in wanted:
        try:
            found += list(_objects(session, target))
        except ServerError as error:
            if error.reason != "NotFound":
                raise
            from sampan_cli.why.nearby import names_nearby

            print("\n".join([error.message, *names_nearby(session, target)]), file=sys.stderr)
            code = 1
    return found, code


def _objects(session: Session, target: Target) -> Iterator[Subject]:
    answer = session.api.call("GET", target.resource.path(session.namespace, target.name))
    kind = target.resource.kind
    if target.name:
        yield Subject(kind, answer, True)
        return
    yield from (Subject(kind, item, False) for item in answer.get("items") or ())


def _diagnosis(subject: Subject, gatherer: Any, now: float) -> Any:
    """None of what was not asked for by name, and is well or gone meanwhile."""
    from sampan_cli.why import diagnosis
    from sampan_cli.why.findings import Cause

    try:
        found = diagnosis.of({"kind": subject.kind, **subject.obj}, gatherer, now)
    except ServerError as error:
        if subject.asked_for or error.reason != "NotFound":
            raise
        return None
    well = all(finding.cause is Cause.NOTHING_WRONG for finding in found.findings)
    return None if well and not subject.asked_for else found


def _data(subject: Subject, found: Any) -> dict[str, Any]:
    metadata = subject.obj["metadata"]
    return {
        "kind": "Why",
        "apiVersion": "sampan/v1",
        "subject": {"kind": subject.kind, "name": metadata["name"], "namespace": metadata.get("namespace", "")},
        "findings": [finding.as_data() for finding in found.findings],
        "verdict": found.asked.verdict,
        "note": found.asked.note,
    }


def _text(found: Any, scheduler: str) -> str:
    from sampan_cli.why import printing

    apart = "" if scheduler else " A Sampan scheduler that runs apart is asked with --scheduler URL"

    text = printing.findings(found.findings)
    verdict = found.asked.verdict
    if verdict and (table := printing.verdict(verdict, terminal_width(), found.findings)):
        text += f"\n{table}"
    if found.asked.note:
        text += f"\n({found.asked.note}; this is what the condition PodScheduled and the events say.{apart})\n"
    return text
