"""ImageLocality: prefers nodes that have the pod's images already, the more bytes the better.

The size of each image counts in proportion to the share of nodes that have it: otherwise the first node to have pulled
an image would get all its pods. Sums below 23 MiB count nothing, those above 1000 MiB per image no more.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

import numpy as np

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.columns import Bools, Ints, Rows
from sampan_master.scheduler.plugins.plugin import MAX_SCORE, Plugin, Refusal, Relation
from sampan_master.scheduler.signature import Relations, Signature

NAME = "ImageLocality"
_MIB = 1 << 20
LEAST = 23 * _MIB
MOST_PER_IMAGE = 1000 * _MIB


class ImageState:
    """`scores` is 0..100 for each row, None when it is 0 everywhere."""

    filters = False

    def __init__(self, scores: Ints | None) -> None:
        self._scores = scores

    def counts(self, pod: Relations) -> bool:
        return False

    def moved(self, row: int, pod: Relations, sign: int) -> None:
        pass

    def mask(self, rows: Rows) -> Bools | None:
        return None

    def refuse(self, rows: Ints) -> list[Refusal]:
        return []

    def score(self, feasible: Ints) -> Ints | None:
        return None if self._scores is None else self._scores[feasible]


def concerns(cluster: Cluster, pod: Signature) -> bool:
    known = cluster.nodes.images.by_name
    return bool(known) and any(name in known for name in image_names(pod.load.images))


def depends(cluster: Cluster, pod: Signature) -> Hashable:
    images = cluster.nodes.images
    return tuple(images.stamp(name) for name in image_names(pod.load.images))


def prepare(cluster: Cluster, pod: Signature) -> ImageState:
    nodes, names = cluster.nodes, image_names(pod.load.images)
    total = np.zeros(nodes.size, np.int64)
    for name in names:
        image = nodes.images.by_name.get(name)
        if image is not None:
            spread = len(image.rows) / nodes.live_count
            total[np.fromiter(image.rows, np.int64, len(image.rows))] += int(image.size * spread)
    most = MOST_PER_IMAGE * len(names)
    scores = MAX_SCORE * (np.clip(total, LEAST, most) - LEAST) // (most - LEAST)
    return ImageState(scores if scores.any() else None)


@lru_cache(maxsize=4096)
def image_names(images: tuple[str, ...]) -> tuple[str, ...]:
    """As runtimes report them: with a tag, "latest" where the pod names none."""
    return tuple(name if name.rfind(":") > name.rfind("/") else f"{name}:latest" for name in images)


PLUGIN = Plugin(NAME, relation=Relation(concerns, prepare, key=lambda pod: pod.load.images, depends=depends))
