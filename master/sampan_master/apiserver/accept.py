"""The `Accept` header: the first media type of the client's list that can be answered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sampan_api.errors import NotAcceptable

from sampan_master.apiserver.decoding import JSON, PROTOBUF, YAML
from sampan_master.apiserver.tables import WHOLE, View

_ONLY = f"only the following media types are accepted: {JSON}, {YAML}, {PROTOBUF}"
_NOTHING = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml,"
    " application/vnd.kubernetes.protobuf, application/json;stream=watch,"
    " application/vnd.kubernetes.protobuf;stream=watch"
)
_VIEWS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Accepted:
    """`media` is application/json or application/yaml: protobuf is read, never written (every client that asks for
    it takes JSON as its second choice)."""

    media: str = JSON
    view: View = WHOLE


@lru_cache(maxsize=256)
def negotiate(accept: str, include: str = "", *, watch: bool = False) -> Accepted:
    """Raises NotAcceptable."""
    if not accept:
        return Accepted()
    readable = False
    for choice in accept.split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        values = dict(parameter.partition("=")[::2] for parameter in parameters)
        media = media.lower()
        if media in ("*/*", "application/*"):
            media = JSON
        if media not in (JSON, YAML) or (watch and media != JSON):
            continue
        readable = True
        kind = values.get("as", "")
        if not kind:
            return Accepted(media)
        if kind in _VIEWS and values.get("g") == "meta.k8s.io" and values.get("v") in ("v1", "v1beta1"):
            return Accepted(media, View(kind, values["v"], include or "Metadata"))
    raise NotAcceptable(_ONLY) if readable else NotAcceptable(_NOTHING, {})
