"""Lists: a consistent snapshot, filtered, in pages.

A page's `continue` token names the revision of the first page and the key to go on from; all pages are of that one
revision, even while others write. When it is compacted meanwhile the client gets 410 with a token for an inconsistent
rest.

    resourceVersion  resourceVersionMatch   the snapshot
    unset                                   now: the cache, caught up with the store
    0                unset, NotOlderThan    the cache as it is; `limit` is ignored
    N                unset, NotOlderThan    the cache, once it has seen N
    N                Exact                  revision N, from history or the store; so also unset with `limit`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sampan_api.errors import BadRequest, Expired
from sampan_api.meta import Object

from sampan_master.apiserver.encoding.continue_tokens import INCONSISTENT, decode_token, encode_token
from sampan_master.apiserver.encoding.options import Query, first, integer
from sampan_master.apiserver.encoding.representations import ListBody
from sampan_master.apiserver.registry.revisions import parse_revision, reach, too_large
from sampan_master.apiserver.registry.selecting import Selected, chosen
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import FieldError, forbidden, invalid_object, unsupported
from sampan_master.storage import Cache, Compacted, Entry, FutureRevision, Listing

_TOO_OLD_LIST = "The resourceVersion for the provided list is too old."
_TOO_OLD_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without"
    " the continue parameter, or use the continue token in this response to retrieve the remainder of the results."
    " Continuing with the provided token results in an inconsistent list - objects that were created, modified, or"
    " deleted between the time the first chunk was returned and now may show up in the list."
)
_MATCHES = ("Exact", "NotOlderThan")


@dataclass(frozen=True, slots=True)
class ListOptions:
    """`match`: "", "Exact" or "NotOlderThan"."""

    resource_version: str = ""
    match: str = ""
    limit: int = 0
    continue_: str = ""

    @property
    def exact(self) -> bool:
        """A page of a given revision is of exactly that one, even when the client does not say so."""
        return self.match == "Exact" or (not self.match and self.limit > 0)

    @property
    def page_size(self) -> int:
        """0: all in one."""
        return 0 if self.resource_version == "0" and not self.continue_ else max(self.limit, 0)


@dataclass(frozen=True, slots=True)
class Page:
    entries: Sequence[Entry]
    revision: int
    continue_: str = ""
    remaining: int | None = None

    @property
    def objects(self) -> Iterator[Object]:
        return (entry.glance() for entry in self.entries)

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
    integer(query, "timeoutSeconds")
    options = ListOptions(
        resource_version=first(query, "resourceVersion"),
        match=first(query, "resourceVersionMatch"),
        limit=integer(query, "limit") or 0,
        continue_=first(query, "continue"),
    )
    errors: list[FieldError] = []
    if options.match:
        errors += _match_errors(options)
    if "sendInitialEvents" in query:
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if errors:
        raise invalid_object("ListOptions", "meta.k8s.io", "", errors)
    return options


def _match_errors(options: ListOptions) -> list[FieldError]:
    path = "resourceVersionMatch"
    errors = []
    if not options.resource_version:
        errors.append(forbidden(path, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if options.continue_:
        errors.append(forbidden(path, "resourceVersionMatch is forbidden when continue is provided"))
    if options.match not in _MATCHES:
        errors.append(unsupported(path, options.match, (*_MATCHES, "")))
    if options.match == "Exact" and options.resource_version == "0":
        errors.append(forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    return errors


def whole_body(rt: ResourceType, page: Page) -> ListBody:
    """The objects themselves, from the bytes that the cache holds if they are of the version that is stored."""
    head = {"kind": f"{rt.kind}List", "apiVersion": rt.resource.api_version, "metadata": page.metadata}
    if rt.conversion is None:
        return ListBody(head, (entry.item for entry in page.entries))
    return ListBody(head, (_as_item(rt.from_stored(obj)) for obj in page.objects))


def _as_item(obj: Object) -> Object:
    return {field: value for field, value in obj.items() if field not in ("kind", "apiVersion")}


async def list_page(cache: Cache, rt: ResourceType, selected: Selected, options: ListOptions) -> Page:
    """Raises BadRequest, Expired, ServerTimeout, ServiceUnavailable."""
    prefix = selected.prefix(rt)
    with problems.translated(rt, ""):
        listing = await _snapshot(cache, prefix, options)
    entries = await chosen(selected, listing.entries)
    size = options.page_size
    if not size or len(entries) <= size:
        return Page(entries, listing.revision)
    # The first key after the last one told, not the next object's: another may come between in an inconsistent rest.
    token = encode_token(listing.revision, entries[size - 1].key.removeprefix(prefix) + "\0")
    remaining = len(entries) - size if selected.matches is None else None
    return Page(entries[:size], listing.revision, token, remaining)


async def _snapshot(cache: Cache, prefix: str, options: ListOptions) -> Listing:
    if options.continue_:
        return await _continued(cache, prefix, options)
    if not options.resource_version:
        await cache.fresh()
        return cache.list(prefix)
    try:
        revision = parse_revision(options.resource_version)
    except ValueError as error:
        raise BadRequest(f"invalid resource version: {error}") from error
    if revision and options.exact:
        return await _exactly(cache, prefix, revision, "", Expired(_TOO_OLD_LIST))
    await reach(cache, revision)
    return cache.list(prefix)


async def _continued(cache: Cache, prefix: str, options: ListOptions) -> Listing:
    try:
        revision, start = decode_token(options.continue_)
    except ValueError as error:
        raise BadRequest(f"invalid continue token: {error}") from error
    if options.resource_version not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")
    if revision < 0:
        await cache.fresh()
        return cache.list(prefix, prefix + start)
    expired = Expired(_TOO_OLD_PAGE, None, **{"continue": encode_token(INCONSISTENT, start)})
    return await _exactly(cache, prefix, revision, prefix + start, expired)


async def _exactly(cache: Cache, prefix: str, revision: int, start: str, expired: Expired) -> Listing:
    try:
        return await cache.list_at(prefix, revision, start)
    except Compacted as error:
        raise expired from error
    except FutureRevision as error:
        raise too_large(revision, cache.revision) from error
