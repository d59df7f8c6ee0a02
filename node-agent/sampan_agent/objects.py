"""ConfigMaps and Secrets, read through the master and remembered: a pod can be restarted with what it had."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from sampan_agent.errors import ObjectUnavailable

ObjectReader: TypeAlias = Callable[[str, str, str], Awaitable[dict[str, Any]]]
"""(kind, namespace, name) -> object. Raises ObjectUnavailable."""


class RememberedObjects:
    """Answers from memory when the master cannot be asked; never when the master says the object is gone."""

    def __init__(self, read: ObjectReader) -> None:
        self._read = read
        self._last: dict[tuple[str, str, str], dict[str, Any]] = {}

    async def __call__(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        key = (kind, namespace, name)
        try:
            obj = await self._read(*key)
        except ObjectUnavailable as e:
            if e.missing:
                self._last.pop(key, None)
                raise
            if key not in self._last:
                raise
            return self._last[key]
        self._last[key] = obj
        return obj


def decoded(obj: dict[str, Any]) -> dict[str, bytes]:
    """The data of a ConfigMap or Secret as bytes."""
    plain = obj.get("data") or {}
    if obj.get("kind") == "Secret":
        return {k: base64.b64decode(v or "") for k, v in plain.items()}
    binary = {k: base64.b64decode(v or "") for k, v in (obj.get("binaryData") or {}).items()}
    return {**{k: (v or "").encode() for k, v in plain.items()}, **binary}
