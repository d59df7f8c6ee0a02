"""Names that the server makes: `metadata.generateName` and volumes, as apimachinery's SimpleNameGenerator does, and
UUIDs, from the same source, so that a cluster in memory is repeatable by its seed."""

from __future__ import annotations

import random

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_PREFIX = 58
_FIXED_BITS = 0xF << 76 | 0x3 << 62
_VERSION_4 = 0x4 << 76 | 0x2 << 62


def generated_name(prefix: str) -> str:
    return prefix[:_LONGEST_PREFIX] + "".join(random.choices(_SUFFIX_ALPHABET, k=5))


def random_uuid() -> str:
    """RFC 9562, section 5.4. `uuid.uuid4` and its text cost five times as much."""
    digits = f"{random.getrandbits(128) & ~_FIXED_BITS | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
