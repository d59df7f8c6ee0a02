"""Tokens of lists in pages: the revision all pages are of, and the key to go on from.

Clients must not look inside, but some do, so the content is Kubernetes' own: base64url without padding of
`{"v":"meta.k8s.io/v1","rv":13162,"start":"/default/web\\u0000"}`. Revision -1 goes on with what there is now.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson
from sampan_api import schema

INCONSISTENT = -1
_VERSION = "meta.k8s.io/v1"
_INVALID = "continue key is not valid"
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode_token(revision: int, start: str) -> str:
    """`start`: the first key not yet told, relative to the list's prefix."""
    content = orjson.dumps({"v": _VERSION, "rv": revision, "start": f"/{start}"})
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode_token(token: str) -> tuple[int, str]:
    """Revision and start of a token. Raises ValueError with Kubernetes' words."""
    try:
        content, _ = schema.load_json(_decode_base64(token))
        version, revision, start = _members(content)
    except ValueError as error:
        raise ValueError(f"{_INVALID}: {error}") from error
    if version != _VERSION:
        raise ValueError(f"{_INVALID}: server does not recognize this encoded version {version}")
    if revision == 0:
        raise ValueError(f"{_INVALID}: incorrect encoded start resourceVersion (version {_VERSION})")
    if not start:
        raise ValueError(f"{_INVALID}: encoded start key empty (version {_VERSION})")
    path = start.removeprefix("/")
    if path and any(segment in ("", ".", "..") for segment in path.split("/")):
        # A key that climbs would lead out of what the client may list.
        raise ValueError(f"{_INVALID}: {start}")
    return revision, path


def _decode_base64(text: str) -> bytes:
    end = _ALPHABET.match(text).end()  # type: ignore[union-attr]  # it matches the empty string
    if end < len(text) or end % 4 == 1:
        raise ValueError(f"illegal base64 data at input byte {min(end, len(text) - 1)}")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _members(content: Any) -> tuple[str, int, str]:
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ValueError(f"json: cannot unmarshal {_json_type(content)} into Go value of type storage.continueToken")
    found: dict[str, Any] = {"v": "", "rv": 0, "start": ""}
    for name, empty in found.items():
        value = content.get(name)
        if value is None:
            continue
        if type(value) is not type(empty):
            field = f"continueToken.{name} of type {'int64' if name == 'rv' else 'string'}"
            raise ValueError(f"json: cannot unmarshal {_json_type(value)} into Go struct field {field}")
        found[name] = value
    return found["v"], found["rv"], found["start"]


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "number"
        case float():
            return f"number {value}"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
