"""The `resourceVersion` a client reads at: unset is now, 0 is any, N is not older than N."""

from __future__ import annotations

from sampan_api.errors import ServerTimeout

from sampan_master.apiserver.encoding.go_numbers import parse_uint
from sampan_master.apiserver.validation.fields import go_quote
from sampan_master.storage import Cache, FutureRevision


def parse_revision(text: str) -> int:
    """0 for unset. Raises ValueError: what it means for the request differs from verb to verb."""
    if not text:
        return 0
    try:
        return parse_uint(text)
    except ValueError as error:
        raise ValueError(f"resourceVersion: Invalid value: {go_quote(text)}: {error}") from error


async def reach(cache: Cache, revision: int) -> None:
    """Waits a few seconds for a revision that this cache has not seen yet. Raises ServerTimeout (504)."""
    try:
        await cache.at_least(revision)
    except FutureRevision as error:
        raise too_large(revision, cache.revision) from error


def too_large(revision: int, current: int) -> ServerTimeout:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ServerTimeout(
        f"Timeout: Too large resource version: {revision}, current: {current}",
        {"causes": [cause], "retryAfterSeconds": 1},
    )
