"""The `Accept` header: the first media type of the client's list that can be answered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sampan_api.errors import NotAcceptable

from sampan_master.apiserver.encoding.decoding import PROTOBUF
from sampan_master.apiserver.encoding.representations import JSON, YAML
from sampan_master.apiserver.encoding.tables import WHOLE, View

_ONLY = f"only the following media types are accepted: {JSON}, {YAML}, {PROTOBUF}"
_NOTHING = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml,"
    " application/vnd.kubernetes.protobuf, application/json;stream=watch,"
    " application/vnd.kubernetes.protobuf;stream=watch"
)
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_V2 = ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList")
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
    readable = False
    for media, values in preferences(accept):
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


def negotiate_discovery(accept: str) -> str:
    """AGGREGATED, JSON or YAML. The older `v2beta1` of the aggregated form is no more. Raises NotAcceptable."""
    for media, values in preferences(accept):
        if media in ("*/*", "application/*", JSON) and (values.get("g"), values.get("v"), values.get("as")) == _V2:
            return AGGREGATED
        if media in ("*/*", "application/*", JSON, YAML) and "as" not in values:
            return YAML if media == YAML else JSON
    raise NotAcceptable(_ONLY)


def preferences(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with their parameters, what the client likes best first: by `q`, then the exact before `*`, then in
    its own order. No header at all likes everything."""
    choices = []
    for choice in (accept or "*/*").split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        values = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media:
            choices.append((media.lower(), values))
    return sorted(choices, key=lambda choice: (-_quality(choice[1].get("q", "1")), choice[0].count("*")))


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0
