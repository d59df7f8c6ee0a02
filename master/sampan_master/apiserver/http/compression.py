"""gzip for answers from 128 KiB on, for clients that name it in `Accept-Encoding` (Go's all do).

zlib lets other threads run while it works, so a long list is compressed beside the event loop, piece by piece.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

THRESHOLD = 128 * 1024
HEADERS = ((b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding"))
_LEVEL = 1
_GZIP = 31
"""zlib's `wbits` for gzip's frame with the largest window."""


def is_accepted(accept_encoding: str) -> bool:
    """Only the bare word counts, as on the real server: `gzip;q=0` is none, and neither is `gzip;q=1`."""
    return "gzip" in accept_encoding and any(part.strip() == "gzip" for part in accept_encoding.split(","))


async def compressed(data: bytes) -> bytes:
    return await asyncio.to_thread(zlib.compress, data, _LEVEL, _GZIP)


async def compressed_pieces(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    async for piece in pieces:
        packed = await asyncio.to_thread(packer.compress, piece)
        if packed:
            yield packed
    yield packer.flush()
