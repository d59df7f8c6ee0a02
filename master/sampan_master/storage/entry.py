"""One object at one revision, as every reader of the cache shares it.

The store holds an object without its `resourceVersion`, which is only known after the write. `Entry` splices it in
as the first field of `metadata`, once; the bytes are then joined into lists and watch events as they are, and the
decoded object is made when somebody first asks for it. To splice by position, stored bytes begin
`{"kind":…,"apiVersion":…,"metadata":{`, which `encode` sees to.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import Any

import orjson
from sampan_api.meta import Object

from sampan_master.storage.sharing import shared

log = logging.getLogger(__name__)

_HEAD = b'"metadata":{'
_FIRST = ("kind", "apiVersion", "metadata")


class Entry:
    """`obj` and `data` both carry `metadata.resourceVersion` = `revision`. Shared by all: never mutate `obj`."""

    __slots__ = ("_metadata_at", "_obj", "data", "key", "revision")

    def __init__(self, key: str, revision: int, value: bytes, obj: Object | None = None) -> None:
        """`value` is what the store holds; with `obj`, which has the resourceVersion already, it is what `encode` has
        written of it and need not be looked at."""
        at = _metadata_at(value) if obj is None else value.index(_HEAD)
        if at < 0:
            value, at = _in_order(orjson.loads(value))
        self.key = key
        self.revision = revision
        self._metadata_at = at
        self._obj = obj
        end = at + len(_HEAD)
        comma = b"" if value[end : end + 1] == b"}" else b","
        self.data = b'%b"resourceVersion":"%d"%b%b' % (value[:end], revision, comma, value[end:])

    @property
    def obj(self) -> Object:
        if self._obj is None:
            self._obj = shared(orjson.loads(self.data))
        return self._obj

    @property
    def is_decoded(self) -> bool:
        return self._obj is not None

    def glance(self) -> Object:
        """`obj` for one look at it: decoding is not kept, so that a walk over everything does not fill the memory."""
        return orjson.loads(self.data) if self._obj is None else self._obj

    def shrink(self) -> None:
        """Keeps the bytes alone; `obj` is decoded again for who asks."""
        self._obj = None

    def decoded_by(self, twin: Entry) -> Entry:
        """Takes over the decoded object of an entry of the same key and revision."""
        if self._obj is None:
            self._obj = twin._obj
        return self

    @property
    def item(self) -> bytes:
        """The bytes as an item of a list: `data` without `kind` and `apiVersion`."""
        return b"{" + self.data[self._metadata_at :]

    @property
    def value(self) -> bytes:
        """What the store holds: `data` without the resourceVersion."""
        end = self._metadata_at + len(_HEAD)
        after = end + len(b'"resourceVersion":""') + len(str(self.revision))
        if self.data[after : after + 1] == b",":
            after += 1
        return self.data[:end] + self.data[after:]

    def at_revision(self, revision: int) -> Entry:
        """The same content under another revision: the last state in a DELETED event carries the deletion's."""
        obj = None if self._obj is None else with_resource_version(self._obj, revision)
        return Entry(self.key, revision, self.value, obj)

    def __repr__(self) -> str:
        return f"Entry({self.key} @{self.revision})"


def read_entry(key: str, revision: int, value: bytes) -> Entry | None:
    """None for what is no object: somebody else's key below the registry must not stop anybody."""
    try:
        return Entry(key, revision, value)
    except (ValueError, KeyError, TypeError) as error:
        log.error("key %s does not hold an object: %s", key, error)
        return None


def encode(obj: Object) -> bytes:
    """The stored form of `obj`: compact JSON, `kind`, `apiVersion`, `metadata` first, no resourceVersion."""
    metadata: dict[str, Any] = obj["metadata"]
    if "resourceVersion" in metadata:
        metadata = {k: v for k, v in metadata.items() if k != "resourceVersion"}
    return orjson.dumps(_with_metadata(obj, metadata))


def with_resource_version(obj: Object, revision: int) -> Object:
    """A copy of `obj` (shallow off the changed path) in the key order `Entry.data` has."""
    # The second naming leaves the key where the first one put it.
    version: Object = {"resourceVersion": str(revision)}
    return _with_metadata(obj, {**version, **obj["metadata"], **version})


def _with_metadata(obj: Object, metadata: Object) -> Object:
    """A copy of `obj` with this metadata; `kind`, `apiVersion` and `metadata` are its first fields."""
    if tuple(islice(obj, len(_FIRST))) == _FIRST:
        return {**obj, "metadata": metadata}
    head: Object = {k: obj[k] for k in ("kind", "apiVersion") if k in obj}
    return {**head, "metadata": metadata, **{k: v for k, v in obj.items() if k not in _FIRST}}


def _metadata_at(value: bytes) -> int:
    """Where the top-level `metadata` begins, or -1 when these may be other bytes than `encode` writes."""
    at = value.find(_HEAD, 0, 256)
    head = value[:at]
    # Only {"kind":"…","apiVersion":"…", may stand before it: eight quotes, none of them escaped.
    if at < 0 or not head.startswith(b'{"kind":"') or head.count(b'"') != 8 or b"\\" in head:
        return -1
    if b'"resourceVersion"' in value and "resourceVersion" in orjson.loads(value)["metadata"]:
        return -1
    return at


def _in_order(obj: Object) -> tuple[bytes, int]:
    """What `encode` would have written, and where its `metadata` begins."""
    head = orjson.dumps({k: obj[k] for k in ("kind", "apiVersion") if k in obj})
    return encode(obj), len(b"{") if head == b"{}" else len(head)
