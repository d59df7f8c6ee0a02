"""Lists: a consistent snapshot, filtered, in pages.

A page's `continue` token names the revision of the first page and the key to go on from; all pages are of that one
revision. When it is compacted meanwhile the client gets 410 with a token for an inconsistent rest (revision -1).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sampan_api import schema
from sampan_api.errors import BadRequest, Expired, InternalError, ServerTimeout

from sampan_master.apiserver import problems
from sampan_master.apiserver.options import Query, first, flag, integer
from sampan_master.apiserver.resource import ResourceType
from sampan_master.apiserver.selecting import Selected
from sampan_master.apiserver.validation.fields import FieldError, forbidden, go_quote, invalid_object, unsupported
from sampan_master.storage import Cache, Compacted, Entry, FutureRevision, Listing

_TOO_OLD_LIST = "The resourceVersion for the provided list is too old."
_TOO_OLD_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without"
    " the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
    " Continuing with the provided token results in an inconsistent list - objects that were created, modified, or"
    " deleted between the time the first chunk was returned and now may show up in the list."
)
_INCONSISTENT = -1


@dataclass(frozen=True, slots=True)
class ListOptions:
    """`match`: "", "Exact" or "NotOlderThan"."""

    resource_version: str = ""
    match: str = ""
    limit: int = 0
    continue_: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    entries: Sequence[Entry]
    revision: int
    continue_: str = ""
    remaining: int | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"resourceVersion": str(self.revision)}
        if self.continue_:
            metadata["continue"] = self.continue_
            if self.remaining is not None:
                metadata["remainingItemCount"] = self.remaining
        return metadata


def list_options(query: Query) -> ListOptions:
    """Raises BadRequest, Invalid."""
    options = ListOptions(
        resource_version=first(query, "resourceVersion"),
        match=first(query, "resourceVersionMatch"),
        limit=integer(query, "limit") or 0,
        continue_=first(query, "continue"),
    )
    errors: list[FieldError] = []
    if flag(query, "sendInitialEvents"):
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if options.match and not options.resource_version:
        said = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        errors.append(forbidden("resourceVersionMatch", said))
    elif options.match not in ("", "Exact", "NotOlderThan"):
        errors.append(unsupported("resourceVersionMatch", options.match, ("Exact", "NotOlderThan", "")))
    elif options.match == "Exact" and options.resource_version == "0":
        said = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        errors.append(forbidden("resourceVersionMatch", said))
    if errors:
        raise invalid_object("ListOptions", "meta.k8s.io", "", errors)
    return options


def _revision(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        shown = go_quote(text)
        why = f"resourceVersion: Invalid value: {shown}: strconv.ParseUint: parsing {shown}: invalid syntax"
        raise BadRequest(f"invalid resource version: {why}") from None


async def list_page(cache: Cache, rt: ResourceType, selected: Selected, options: ListOptions) -> Page:
    prefix = selected.prefix(rt)
    with problems.translated(rt, ""):
        listing = await _snapshot(cache, prefix, options)
    entries: Sequence[Entry] = listing.entries
    if selected.matches is not None:
        matches = selected.matches
        entries = [entry for entry in entries if matches(entry.obj)]
    limit = options.limit
    if not limit or len(entries) <= limit or (options.resource_version == "0" and not options.continue_):
        return Page(entries, listing.revision)
    token = _encode_token(listing.revision, entries[limit].key.removeprefix(prefix))
    remaining = len(entries) - limit if selected.matches is None else None
    return Page(entries[:limit], listing.revision, token, remaining)


async def _snapshot(cache: Cache, prefix: str, options: ListOptions) -> Listing:
    if options.continue_:
        return await _continued(cache, prefix, options)
    if not options.resource_version:
        await cache.fresh()
        return cache.list(prefix)
    revision = _revision(options.resource_version)
    if revision == 0:
        return cache.list(prefix)
    try:
        if options.match == "Exact":
            return await cache.list_at(prefix, revision)
        await cache.at_least(revision)
    except Compacted as error:
        raise Expired(_TOO_OLD_LIST) from error
    except FutureRevision as error:
        raise too_large(revision, cache.revision) from error
    return cache.list(prefix)


async def _continued(cache: Cache, prefix: str, options: ListOptions) -> Listing:
    if options.resource_version not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")
    revision, start = _decode_token(options.continue_)
    if revision == _INCONSISTENT:
        await cache.fresh()
        return cache.list(prefix, prefix + start)
    try:
        return await cache.list_at(prefix, revision, prefix + start)
    except Compacted as error:
        raise Expired(_TOO_OLD_PAGE, None, **{"continue": _encode_token(_INCONSISTENT, start)}) from error
    except FutureRevision as error:
        raise InternalError(f"the continue token is of revision {revision}, which has not happened") from error


def too_large(revision: int, current: int) -> ServerTimeout:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ServerTimeout(
        f"Timeout: Too large resource version: {revision}, current: {current}",
        {"causes": [cause], "retryAfterSeconds": 1},
    )


def _encode_token(revision: int, start: str) -> str:
    content = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode_token(token: str) -> tuple[int, str]:
    try:
        content, _ = schema.load_json(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        revision, start = int(content["rv"]), str(content["start"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"invalid continue token: continue key is not valid: {error}") from error
    return revision, start.lstrip("/")
