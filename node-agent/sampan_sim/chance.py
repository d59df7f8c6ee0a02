"""Chance that repeats itself: a number from [0, 1) that follows from its name alone.

No generator is kept: who asks twice for the same name gets the same number, in whatever order pods come and however
often the process was started in between.
"""

from __future__ import annotations

from hashlib import blake2b


def draw(seed: int, *name: object) -> float:
    digest = blake2b(repr((seed, *name)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
