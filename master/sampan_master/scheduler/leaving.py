"""Whose end would make room on a node, and what has to be done for it: pods that a controller has made come back."""

from __future__ import annotations

from collections.abc import Iterable

from sampan_api import meta
from sampan_api.meta import Object

from sampan_master.scheduler.cluster import Cluster, Placed


def candidates(cluster: Cluster, pod: Object, row: int) -> list[Placed]:
    """The pods on the row without those whose end helps `pod` nothing: a replica of its own owner wants the room again,
    and so does what a DaemonSet has on each node."""
    own = controller(pod).get("uid")
    return [
        placed
        for placed in cluster.pods_on(row)
        if (by := controller(placed.pod)).get("kind") != "DaemonSet" and (own is None or by.get("uid") != own)
    ]


def chosen(there: Iterable[tuple[Placed, int]], missing: int) -> list[Placed]:
    """Of pods with what each uses: one that uses what is missing if there is such a one, the least important and
    smallest first, else several. Nobody when all together are too few."""
    there = list(there)
    if enough := [(placed, uses) for placed, uses in there if uses >= missing]:
        return [min(enough, key=lambda each: (each[0].priority, each[1]))[0]]
    found: list[Placed] = []
    for placed, uses in sorted(there, key=lambda each: (each[0].priority, -each[1])):
        if missing > 0 and uses:
            found.append(placed)
            missing -= uses
    return found if missing <= 0 else []


def end_of(placed: Placed, what: str) -> str:
    """`what` is what it has."""
    if by := controller(placed.pod):
        return f"scale down {_maker(by, placed)}, whose pod {meta.name(placed.pod)} has {what}"
    return f"delete pod {_name(placed)}, which has {what}"


def end_of_all(several: Iterable[Placed]) -> str:
    several = list(several)
    makers = dict.fromkeys(_maker(by, placed) for placed in several if (by := controller(placed.pod)))
    also = f" and scale down what makes them anew ({', '.join(makers)})" if makers else ""
    return f"delete pods {', '.join(map(_name, several))}{also}"


def controller(pod: Object) -> Object:
    """The ownerReference of who makes the pod anew, {} if nobody does."""
    return next((each for each in pod["metadata"].get("ownerReferences") or [] if each.get("controller")), {})


def _maker(reference: Object, placed: Placed) -> str:
    return f"{reference['kind']} {meta.namespace(placed.pod)}/{reference['name']}"


def _name(placed: Placed) -> str:
    return f"{meta.namespace(placed.pod)}/{meta.name(placed.pod)}"
