"""Kubernetes' default scheduler profile, one pod and one node at a time: slow, obvious, apart from the engine.

It is written from the documented behaviour of Kubernetes 1.36 and knows nothing of how Sampan's engine computes the
same things, so that where the two agree both are probably right.

    world              what the scheduler sees, as plain dicts (`world.py`)
    a plug-in          one module: `filter(world, pod, node)` gives the reasons against that node, [] when there are
                       none; `score(world, pod, node, feasible)` a raw score, `normalise(world, pod, feasible, raw)`
                       what becomes of it over all feasible nodes, `scores(...)` both for modules that score
    cycle              the plug-ins in order: reasons per node, feasible nodes, weighted totals
    preemption         candidates, victims, which node wins
    message            the text of the condition and the event

Nothing is remembered between two calls: every question is answered from the world as it is.
"""

from reference.cycle import feasible, reasons, restricted, score_table, totals
from reference.message import message
from reference.preemption import preempt
from reference.reason import Reason
from reference.world import World, new_world

__all__ = [
    "Reason",
    "World",
    "feasible",
    "message",
    "new_world",
    "preempt",
    "reasons",
    "restricted",
    "score_table",
    "totals",
]
