"""`sampan why`: what holds an object up, and the smallest thing to do about it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from sampan_cli.errors import ServerError, UsageError
from sampan_cli.rest import Api
from sampan_cli.session import Session, Target, from_args, targets


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="TYPE/NAME")
    parser.add_argument("-o", "--output", choices=("", "json"), default="")
    parser.add_argument("--scheduler", default="", metavar="URL", help="of a scheduler that runs apart from the master")


def run(args: argparse.Namespace) -> int:
    if not args.words:
        raise UsageError("say what: sampan why TYPE/NAME, such as pod/web, rs/web, namespace/x or node/n1")
    from sampan_cli.why.gather import Gatherer

    session = from_args(args)
    now = time.time()
    gatherer = Gatherer(session, scheduler_api(session, args.scheduler), now)
    wanted, code, answers = targets(session, args.words, need_name=True), 0, []
    for target in wanted:
        try:
            answers.append(_answer(session, target, gatherer, now, args))
        except ServerError as error:
            if error.reason != "NotFound" or len(wanted) == 1:
                raise
            print(error.message, file=sys.stderr)
            code = 1
    if args.output == "json":
        print(json.dumps(answers if len(wanted) > 1 else answers[0], indent=4, ensure_ascii=False))
    else:
        print("\n".join(answers), end="")
    return code


def scheduler_api(session: Session, url: str) -> Api:
    """Credentials are for the API server; over plain HTTP they are not sent to anybody."""
    if not url:
        return session.api
    access = session.api.access._replace(server=url.rstrip("/"))
    if not url.startswith("https://"):
        access = access._replace(token="")
    return Api(access, session.api.timeout)


def _answer(session: Session, target: Target, gatherer: Any, now: float, args: argparse.Namespace) -> Any:
    from sampan_cli.why import diagnosis, printing

    obj = session.api.call("GET", target.resource.path(session.namespace, target.name))
    found = diagnosis.of({"kind": target.resource.kind, **obj}, gatherer, now)
    if args.output == "json":
        return {
            "kind": "Why",
            "apiVersion": "sampan/v1",
            "subject": {"kind": target.resource.kind, "name": target.name,
                        "namespace": obj["metadata"].get("namespace", "")},
            "findings": [finding.as_data() for finding in found.findings],
            "verdict": found.asked.verdict,
            "note": found.asked.note,
        }  # fmt: skip
    text = printing.findings(found.findings)
    if found.asked.verdict and (table := printing.verdict(found.asked.verdict)):
        text += f"\n{table}"
    if found.asked.note:
        text += f"\n({found.asked.note}; this is what the condition PodScheduled and the events say)\n"
    return text
