"""Which images are on which rows, as the nodes' statuses say.

Nodes report new images all the time and nobody becomes schedulable by it, so this is no change of a Node to the rest of
the scheduler: no cache of masks is lost and no pod is woken. Whoever keeps something about an image asks for its
`stamp`, which is another one after every change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan_api.meta import Object


@dataclass(slots=True, eq=False)
class NodeImage:
    """`size` is in bytes, as the first of the nodes that have it says."""

    size: int
    rows: set[int] = field(default_factory=set)
    stamp: int = 0


class NodeImages:
    def __init__(self) -> None:
        self._images: dict[str, NodeImage] = {}
        self._reported: dict[int, list[dict[str, Any]]] = {}
        self._stamp = 0

    @property
    def by_name(self) -> Mapping[str, NodeImage]:
        return self._images

    def stamp(self, name: str) -> int:
        """0 when no node has it."""
        image = self._images.get(name)
        return 0 if image is None else image.stamp

    def put(self, row: int, node: Object) -> None:
        reported = (node.get("status") or {}).get("images") or []
        before = self._reported.get(row, [])
        if reported == before:
            return
        self._reported[row] = reported
        sizes, old = _sizes(reported), _sizes(before)
        for name in old.keys() - sizes.keys():
            self._leave(row, name)
        for name, size in sizes.items():
            image = self._images.setdefault(name, NodeImage(size))
            if row not in image.rows:
                image.rows.add(row)
                self._changed(image)
            elif image.size != size and len(image.rows) == 1:
                image.size = size
                self._changed(image)

    def remove(self, row: int) -> None:
        for name in _sizes(self._reported.pop(row, [])):
            self._leave(row, name)

    def _leave(self, row: int, name: str) -> None:
        image = self._images[name]
        image.rows.discard(row)
        self._changed(image)
        if not image.rows:
            del self._images[name]

    def _changed(self, image: NodeImage) -> None:
        self._stamp += 1
        image.stamp = self._stamp


def _sizes(reported: list[dict[str, Any]]) -> dict[str, int]:
    """The size of each name; an image has several, and may be named twice."""
    sizes: dict[str, int] = {}
    for image in reported:
        for name in image.get("names") or ():
            sizes.setdefault(name, image.get("sizeBytes") or 0)
    return sizes
