"""What a plug-in is made of. Each has a name, as in Kubernetes, and one or more of:

    filter    may this pod run there?    a mask over rows, from the columns of those rows alone
    score     how well?                  one integer per row, from the columns of those rows alone
    relation  both, where it depends on what is on other rows; it keeps a state that is told of every change

The engine asks a filter or score about all rows once per signature and then only about rows that changed, so it must
look at nothing but the columns of the rows it is asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.signature import Relations, Signature

if TYPE_CHECKING:
    from sampan_master.scheduler.cluster import Cluster

MAX_SCORE = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason and the rows it holds for.

    `need` is what the pod asks for and `have` what the rows have instead: an index into `words` for each of `rows`,
    or an amount in `unit` ("m" millicores, "B" bytes, "" a count) when there are no words. `rows` whose refusal the
    eviction of other pods cannot help are marked in `hopeless` (upstream: UnschedulableAndUnresolvable).
    """

    plugin: str
    reason: str
    rows: Ints
    hopeless: Bools
    need: str
    have: Ints
    words: Sequence[str] = ()
    unit: str = ""


Mask: TypeAlias = Callable[[NodeColumns, Signature, Rows], Bools]
Vector: TypeAlias = Callable[[NodeColumns, Signature, Rows], Ints]
Refuse: TypeAlias = Callable[[NodeColumns, Signature, Ints], list[Refusal]]
"""Asked about rows that `mask` refuses; each of them must be in at least one of the refusals."""


class Scope(Enum):
    """What the answer for a row depends on: its Node object alone, or also the pods on it; and for POD not only on
    what the pod asks of a node, but on its namespace and labels too."""

    NODE = 0
    ROW = 1
    POD = 2


class Normalise(Enum):
    """How raw scores become 0..100 over the feasible nodes: as they are, or as a share of the greatest raw score."""

    NONE = 0
    SHARE = 1
    REVERSED_SHARE = 2


@dataclass(frozen=True, slots=True)
class Filter:
    scope: Scope
    mask: Mask
    refuse: Refuse


@dataclass(frozen=True, slots=True)
class Score:
    """A score that is normalised must have scope NODE."""

    vector: Vector
    scope: Scope
    normalise: Normalise = Normalise.NONE
    applies: Callable[[Signature], bool] = lambda pod: True


class RelationState(Protocol):
    """What a relation knows for one `Relation.key`. It is made again when a Node changes in any way the scheduler
    looks at, and when `Relation.depends` does; `moved` is called for pods that come to a row (so many) or leave it (as
    many less than nothing) meanwhile. It never sees a row that was not there when it was made."""

    @property
    def filters(self) -> bool:
        """Whether it can refuse a row at all, or only scores."""
        ...

    def counts(self, pod: Relations) -> bool:
        """Whether it matters that such a pod comes or goes."""
        ...

    def moved(self, row: int, pod: Relations, number: int) -> None: ...

    def mask(self, rows: Rows) -> Bools | None:
        """None when every row passes."""
        ...

    def refuse(self, rows: Ints) -> list[Refusal]: ...

    def score(self, feasible: Ints) -> Ints | None:
        """0..100 for each of these rows, which are all that are feasible; None when it prefers none."""
        ...


@dataclass(frozen=True, slots=True)
class Relation:
    """`concerns` and `depends` are asked at every attempt and must be cheap: most pods have no relations.

    Pods with equal `key` share a state. `depends` is what else it was made from, beside Nodes, Namespaces and pods.
    Where it also brings all states up to date with the pods, the relation `follows` by itself: its states are told
    only of what is supposed.
    """

    concerns: Callable[[Cluster, Signature], bool]
    prepare: Callable[[Cluster, Signature], RelationState]
    key: Callable[[Signature], Hashable] = lambda pod: (pod.placement, pod.relations)
    depends: Callable[[Cluster, Signature], Hashable] = lambda cluster, pod: None
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Plugin:
    name: str
    filter: Filter | None = None
    score: Score | None = None
    relation: Relation | None = None
