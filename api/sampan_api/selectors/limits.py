"""What a selector may be at most, and the error of one that cannot be."""

from __future__ import annotations

import json

_MAX_TERMS = 1000
"""Requirements and their values together. A selector is held against every object there is."""
KEPT = 1024
"""Parsed selectors up to this length are kept; longer ones would be a way to fill the memory."""


class SelectorError(ValueError):
    """The selector cannot be parsed; the message is the API server's (a 400)."""


def check_size(terms: int) -> None:
    if terms > _MAX_TERMS:
        raise SelectorError(f"the selector has {terms} terms, more than the {_MAX_TERMS} that are allowed")


def quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
