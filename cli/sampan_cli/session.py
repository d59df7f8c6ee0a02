"""What a verb works with: the server, its resources, and the namespace that is meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

from sampan_api.kubeconfig import Access

from sampan_cli import kubeconfig
from sampan_cli.discovery import Discovery, Resource
from sampan_cli.errors import CliError, UsageError
from sampan_cli.rest import Api


class Session(NamedTuple):
    api: Api
    discovery: Discovery
    namespace: str
    explicit_namespace: bool

    def namespace_for(self, obj: dict[str, Any], source: str) -> str:
        """An object's own namespace; one that contradicts `-n` is an error, as in kubectl."""
        own = obj["metadata"].get("namespace")
        if own and self.explicit_namespace and own != self.namespace:
            raise CliError(
                f"error: the namespace from the provided object {own!r} does not match the namespace"
                f" \"{self.namespace}\". You must pass '--namespace={own}' to perform this operation.".replace("'", '"')
            )
        return own or self.namespace


class Target(NamedTuple):
    """A resource, and one object of it or all."""

    resource: Resource
    name: str = ""


def from_args(args: argparse.Namespace) -> Session:
    path = kubeconfig.find(args.kubeconfig, args.cluster)
    if not path and not args.server:
        raise CliError(
            f'error: no cluster "{kubeconfig.CLUSTER}" on this machine and no kubeconfig:'
            ' start one with "sampan up", or give --kubeconfig or --server'
        )
    access = kubeconfig.load(path, args.context) if path else Access()
    if args.server:
        access = access._replace(server=args.server.rstrip("/"))
    api = Api(access, seconds(args.request_timeout) or None)
    return Session(api, Discovery(api), args.namespace or access.namespace, bool(args.namespace))


def seconds(text: str) -> float:
    """A Go duration such as `1m30s`, or plain seconds."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        return float(text)
    except ValueError:
        pass
    total, number, i = 0.0, "", 0
    while i < len(text):
        if text[i].isdigit() or text[i] == ".":
            number += text[i]
            i += 1
            continue
        unit = "ms" if text.startswith("ms", i) else text[i]
        if unit not in units or not number:
            raise UsageError(f'invalid duration "{text}"')
        total, number, i = total + float(number) * units[unit], "", i + len(unit)
    if number:
        raise UsageError(f'invalid duration "{text}"')
    return total


def targets(session: Session, words: list[str], need_name: bool = False) -> list[Target]:
    """`pods`, `pods,rs`, `pod a b`, `pod/a rs/b`, in kubectl's ways of writing."""
    found = list(_targets(session, words))
    if need_name and any(not target.name for target in found):
        raise UsageError("resource(s) were provided, but no name was specified")
    return found


def _targets(session: Session, words: list[str]) -> Iterator[Target]:
    if any("/" in word for word in words):
        for word in words:
            kind, slash, name = word.partition("/")
            if not slash or not name or "/" in name:
                raise UsageError(
                    "there is no need to specify a resource type as a separate argument when passing arguments in "
                    "resource/name form (e.g. 'sampan get resource/<resource_name>' instead of 'sampan get resource "
                    "resource/<resource_name>'"
                )
            yield Target(session.discovery.resolve(kind), name)
        return
    kinds, names = words[0], words[1:]
    resources: list[Resource] = []
    for kind in kinds.split(","):
        if kind:
            resources += session.discovery.category(kind) or [session.discovery.resolve(kind)]
    for resource in resources:
        if names:
            yield from (Target(resource, name) for name in names)
        else:
            yield Target(resource)
