"""The parts of a master that others can stand in for, and how one says which of them run."""

from __future__ import annotations

COMPONENTS = ("scheduler", "controllers")


def chosen(text: str) -> frozenset[str]:
    """In the grammar of kube-controller-manager's --controllers: `*` for all, NAME, -NAME; `none` for nothing.
    Raises ValueError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == ["none"]:
        return frozenset()
    for word in words:
        if word != "*" and word.removeprefix("-") not in COMPONENTS:
            raise ValueError(f"'{word}' is no part of the master; there are {', '.join(COMPONENTS)} (and * and none)")
        if word.startswith("-") and "*" not in words:
            raise ValueError(f"'{word}' leaves something out of all: write '*,{word}'")
    if not words:
        raise ValueError("no part is named; the API alone is 'none'")
    return frozenset(part for part in COMPONENTS if f"-{part}" not in words and (part in words or "*" in words))
