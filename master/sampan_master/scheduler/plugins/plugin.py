from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.signature import Signature

MAX_SCORE = 100

Mask: TypeAlias = Callable[[NodeColumns, Signature, Rows], Bools]
Vector: TypeAlias = Callable[[NodeColumns, Signature, Rows], Ints]
Reasons: TypeAlias = Callable[[NodeColumns, Signature, Ints], dict[str, Ints]]


class Normalise(Enum):
    """How raw scores become 0..100 over the feasible nodes: as they are, or as a share of the greatest raw score."""

    NONE = 0
    SHARE = 1
    REVERSED_SHARE = 2


@dataclass(frozen=True, slots=True)
class Filter:
    """`static` filters depend on Node objects alone, not on the pods there.

    `reasons` is asked about refused rows only and says which texts hold for which of them; `hopeless` marks the
    refused rows that no eviction of other pods could open.
    """

    name: str
    static: bool
    mask: Mask
    reasons: Reasons
    hopeless: Mask


@dataclass(frozen=True, slots=True)
class Score:
    """A score that is normalised must be static: it may depend on Node objects only."""

    name: str
    vector: Vector
    normalise: Normalise = Normalise.NONE
    applies: Callable[[Signature], bool] = lambda pod: True


def one_reason(text: str) -> Reasons:
    return lambda nodes, pod, rows: {text: rows}


def always_hopeless(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    return nodes.live[rows] | True
