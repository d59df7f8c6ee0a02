"""Names that the server makes: `metadata.generateName` and volumes, as apimachinery's SimpleNameGenerator does."""

from __future__ import annotations

import random

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_PREFIX = 58


def generated_name(prefix: str) -> str:
    return prefix[:_LONGEST_PREFIX] + "".join(random.choices(_SUFFIX_ALPHABET, k=5))
