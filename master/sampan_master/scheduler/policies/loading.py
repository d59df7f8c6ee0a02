"""A policy's file becomes a plug-in of the engine, under the policy's name.

Filters are asked with their answers kept per node, so that a node is judged again only when something on it changed.
Scores are asked at every choice about all nodes that are left, and stretched: the least becomes 0, the greatest 100.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakSet

import numpy as np

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Filter, Plugin, Refusal, Relation, Scope
from sampan_master.scheduler.policies.guard import Function, Guard, PolicyError
from sampan_master.scheduler.policies.views import Floats, Nodes, Pod
from sampan_master.scheduler.signature import Relations, Signature

log = logging.getLogger(__name__)

_KINDS = ("filter", "score", "permit")


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """What a file holds; nothing, when it could not be read. `permits` have the last word on a chosen node."""

    name: str
    guard: Guard
    plugin: Plugin | None = None
    permits: tuple[Function, ...] = ()

    def forbids(self, nodes: NodeColumns, row: int, pod: Signature) -> str:
        """The function that does not let the pod go to this node, "" when all do."""
        for function in self.permits:
            view = Nodes(nodes, np.array([row]))
            if self.guard.ask(function, _one_bool, view, Pod(pod)) is False:
                return f"{self.name}.{function.name}"
        return ""


def load(path: Path, timeout: float) -> Policy:
    name, guard = path.stem, Guard(path.stem, path, timeout)
    found = guard.run(lambda: _execute(path))
    if not found:
        return Policy(name, guard)
    functions = {
        kind: [Function(name, call) for name, call in found.items() if name.startswith(f"{kind}_")] for kind in _KINDS
    }
    plugin = Plugin(name, _filter(name, guard, functions["filter"]), relation=_relation(guard, functions["score"]))
    return Policy(name, guard, plugin, tuple(functions["permit"]))


def _filter(name: str, guard: Guard, functions: list[Function]) -> Filter | None:
    if not functions:
        return None
    filters = _Filters(name, guard, functions)
    return Filter(Scope.POD, filters.mask, filters.refuse)


def _relation(guard: Guard, functions: list[Function]) -> Relation | None:
    if not functions:
        return None
    return Relation(
        lambda _cluster, _pod: any(not function.off for function in functions),
        lambda cluster, pod: _Scores(guard, functions, cluster, pod),
        key=lambda pod: pod,
        follows=True,
    )


def _execute(path: Path) -> Mapping[str, Callable[..., Any]]:
    """The functions of the file, by name. Raises whatever it raises."""
    module = ModuleType(f"sampan_policy_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # Classes of the file are looked up there.
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    named = {name: one for name, one in vars(module).items() if name.partition("_")[0] in _KINDS and "_" in name}
    found = {name: one for name, one in named.items() if callable(one)}
    if not found:
        raise PolicyError("has no function whose name begins with filter_, score_ or permit_")
    for name in vars(module).keys() - found.keys():
        begins, mark, rest = name.partition("_")
        meant = get_close_matches(begins, _KINDS, 1) if mark else []
        if meant and callable(vars(module)[name]):
            log.warning("scheduling policy %s: nobody calls %s, did you mean %s_%s?", path.stem, name, meant[0], rest)
    return found


class _Filters:
    def __init__(self, policy: str, guard: Guard, functions: list[Function]) -> None:
        self._policy, self._guard, self._functions = policy, guard, functions
        self._asked: WeakSet[NodeColumns] = WeakSet()

    def mask(self, nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
        self._asked.add(nodes)
        result = nodes.live[rows].copy()
        for function in self._functions:
            result &= self._answer(function, nodes, pod, nodes.row_numbers[rows])
        return result

    def refuse(self, nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
        refusals: list[Refusal] = []
        for function in self._functions:
            passes = self._answer(function, nodes, pod, rows)
            refused, rows = rows[~passes], rows[passes]
            if refused.size:
                refusals.append(self._refusal(function, refused))
        # What failed meanwhile refuses no longer, and is not asked about again before the next attempt.
        return [*refusals, self._refusal(self._functions[0], rows)] if rows.size else refusals

    def _refusal(self, function: Function, rows: Ints) -> Refusal:
        words = ((function.call.__doc__ or "").strip() or f"node(s) didn't pass {self._policy}.{function.name}").split(
            "\n"
        )
        none = np.zeros(rows.size, np.int64)
        need = f"{self._policy}.{function.name} to say True"
        return Refusal(self._policy, words[0], rows, np.zeros(rows.size, np.bool_), need, none, ("it says False",))

    def _answer(self, function: Function, nodes: NodeColumns, pod: Signature, rows: Ints) -> Bools:
        live = rows[nodes.live[rows]]
        passes = np.ones(rows.shape, np.bool_)
        if function.off or not live.size:
            return passes
        answer = self._guard.ask(function, _bools(live.size), Nodes(nodes, live), Pod(pod))
        if answer is None:
            self._doubt()
        else:
            passes[nodes.live[rows]] = answer
        return passes

    def _doubt(self) -> None:
        """What nodes passed by a failure must be asked about again, what they passed before too."""
        for nodes in self._asked:
            for row in range(nodes.size):
                nodes.changes.append(row)


class _Scores:
    """The state of a relation that scores alone. It keeps nothing: everything may have moved."""

    filters = False

    def __init__(self, guard: Guard, functions: list[Function], cluster: Cluster, pod: Signature) -> None:
        self._guard, self._functions, self._nodes, self._pod = guard, functions, cluster.nodes, pod

    def counts(self, pod: Relations) -> bool:
        return False

    def moved(self, row: int, pod: Relations, sign: int) -> None:
        pass

    def mask(self, rows: Rows) -> Bools | None:
        return None

    def refuse(self, rows: Ints) -> list[Refusal]:
        return []

    def score(self, feasible: Ints) -> Ints | None:
        """The mean of what the functions say, each stretched to 0..100."""
        view, pod = Nodes(self._nodes, feasible), Pod(self._pod)
        answers = [self._guard.ask(function, _numbers(feasible.size), view, pod) for function in self._functions]
        told = [_stretched(answer) for answer in answers if answer is not None]
        if not told:
            return None
        mean: Ints = np.rint(np.mean(told, axis=0)).astype(np.int64)
        return mean


def _stretched(answer: Floats) -> Floats:
    low, high = answer.min(), answer.max()
    stretched: Floats = MAX_SCORE * ((answer - low) / (high - low)) if high > low else np.zeros_like(answer)
    return stretched


def _bools(size: int) -> Callable[[Any], Bools]:
    def check(answer: Any) -> Bools:
        array = np.asarray(answer)
        if array.shape != (size,) or array.dtype != np.bool_:
            raise PolicyError(f"answered with {_shown(array, answer)}, not with one bool for each of {size} nodes")
        return array

    return check


def _numbers(size: int) -> Callable[[Any], Floats]:
    def check(answer: Any) -> Floats:
        array = np.asarray(answer)
        if array.shape != (size,) or array.dtype.kind not in "biuf":
            raise PolicyError(f"answered with {_shown(array, answer)}, not with one number for each of {size} nodes")
        numbers = array.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise PolicyError(f"answered with NaN or infinity for {int((~np.isfinite(numbers)).sum())} nodes")
        return numbers

    return check


def _one_bool(answer: Any) -> bool:
    array = np.asarray(answer)
    if array.size != 1 or array.dtype != np.bool_:
        raise PolicyError(f"answered with {_shown(array, answer)}, not with True or False")
    return bool(array.item())


def _shown(array: Any, answer: Any) -> str:
    return f"an array of {array.dtype} of shape {array.shape}" if array.shape else f"{type(answer).__name__} {answer!r}"
