"""Objects and lists as bytes, in the form a client asked for: JSON, indented JSON or YAML.

A list is never joined in one go: it comes in pieces, so that 20,000 pods as a Table, indented or in YAML cost no more
memory than a few of them, and other requests are served between two pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sampan_api.yaml_text import dump_yaml

JSON = "application/json"
YAML = "application/yaml"
_JOINED = 256 * 1024
_ENCODED = 32 * 1024
_WRITTEN = 8 * 1024
"""How large a piece grows: large when ready bytes are joined, small when each item costs time to encode, and smallest
in YAML, which costs milliseconds for each pod."""


@dataclass(frozen=True, slots=True)
class Form:
    media: str = JSON
    pretty: bool = False


@dataclass(frozen=True, slots=True)
class ListBody:
    """A list to be sent: `head` without its items, which are under `key`. Items are objects, encoded or not; they are
    asked for one by one."""

    head: dict[str, Any]
    items: Iterable[bytes | dict[str, Any]]
    key: str = "items"


def encoded(obj: bytes | dict[str, Any], form: Form) -> bytes:
    if form.media == YAML:
        return dump_yaml(_decoded(obj)).encode()
    if form.pretty:
        return orjson.dumps(_decoded(obj), option=orjson.OPT_INDENT_2) + b"\n"
    return (obj if isinstance(obj, bytes) else orjson.dumps(obj)) + b"\n"


def _decoded(obj: bytes | dict[str, Any]) -> Any:
    return orjson.loads(obj) if isinstance(obj, bytes) else obj


def pieces(listing: ListBody, form: Form) -> Iterator[bytes]:
    if form.media == YAML:
        return gathered(_yaml(listing), _WRITTEN)
    if form.pretty:
        return gathered(_indented(listing), _ENCODED)
    return gathered(_compact(listing), _JOINED)


def gathered(parts: Iterator[bytes], enough: int = _JOINED) -> Iterator[bytes]:
    """The parts joined to pieces of about that size."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= enough:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _compact(listing: ListBody) -> Iterator[bytes]:
    yield orjson.dumps(listing.head)[:-1] + b',"%b":[' % listing.key.encode()
    comma = b""
    for item in listing.items:
        yield comma
        yield item if isinstance(item, bytes) else orjson.dumps(item)
        comma = b","
    yield b"]}\n"


def _indented(listing: ListBody) -> Iterator[bytes]:
    head = orjson.dumps(listing.head, option=orjson.OPT_INDENT_2)
    yield head[:-2] + b',\n  "%b": [' % listing.key.encode()
    before = b"\n    "
    for item in listing.items:
        text = orjson.dumps(_decoded(item), option=orjson.OPT_INDENT_2)
        yield before + text.replace(b"\n", b"\n    ")
        before = b",\n    "
    yield (b"]" if before == b"\n    " else b"\n  ]") + b"\n}\n"


def _yaml(listing: ListBody) -> Iterator[bytes]:
    """Keys are sorted, so the items stand between the head's."""
    before = {key: value for key, value in listing.head.items() if key < listing.key}
    after = {key: value for key, value in listing.head.items() if key > listing.key}
    yield dump_yaml(before).encode() if before else b""
    some = False
    for item in listing.items:
        if not some:
            yield listing.key.encode() + b":\n"
            some = True
        yield dump_yaml([_decoded(item)]).encode()
    if not some:
        yield listing.key.encode() + b": []\n"
    yield dump_yaml(after).encode() if after else b""
