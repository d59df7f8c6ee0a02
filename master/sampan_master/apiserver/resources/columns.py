"""Columns of the Table output, and the cells that several kinds show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.resources.ages import since

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the Table output; `wide` ones show with `-o wide` only."""

    name: str
    type: str = "string"
    format: str = ""
    wide: bool = False

    @property
    def description(self) -> str:
        return f"{self.name} of the object"


NAME_COLUMN = Column("Name", format="name")
AGE_COLUMN = Column("Age")
CREATED_COLUMN = Column("Created At", "date")
"""Of kinds for which kubectl has no printer of its own: the moment itself."""


def name_and_age(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], age(obj, now)]


def age(obj: Object, now: float) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def name_and_creation(obj: Object, now: float) -> list[Any]:
    """The cells of `NAME_COLUMN` and `CREATED_COLUMN`."""
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp")]


def label_text(labels: Mapping[str, str]) -> str:
    """A plain map of labels."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) or "<none>"


def first_few(texts: Sequence[str], nothing: str) -> str:
    """The first three, and how many more there are."""
    if not texts:
        return nothing
    more = f" + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else ""
    return ",".join(texts[:_SHOWN]) + more
