"""Defaults of a claim on storage, the same in a PersistentVolumeClaim and in the templates of a StatefulSet."""

from __future__ import annotations

from sampan_api.meta import Object


def default_claim(obj: Object) -> None:
    obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    status = obj.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Pending"
