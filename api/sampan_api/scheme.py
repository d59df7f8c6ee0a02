"""Which class stands for which apiVersion and kind; a group's module is imported when one of its kinds is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sampan_api.fields import Model

_MODULES = {
    "v1": "core_v1",
    "apps/v1": "apps_v1",
    "authentication.k8s.io/v1": "authentication_v1",
    "authorization.k8s.io/v1": "authorization_v1",
    "autoscaling/v1": "autoscaling_v1",
    "coordination.k8s.io/v1": "coordination_v1",
    "events.k8s.io/v1": "events_v1",
    "meta.k8s.io/v1": "meta_v1",
    "policy/v1": "policy_v1",
    "scheduling.k8s.io/v1": "scheduling_v1",
}

_META_KINDS = frozenset({"DeleteOptions", "Status", "CreateOptions", "UpdateOptions", "PatchOptions"})
"""Kinds that every group/version accepts under its own name."""


class UnknownKind(LookupError):
    """No built-in class has this apiVersion and kind."""


def api_versions() -> tuple[str, ...]:
    """Every apiVersion that has built-in classes."""
    return tuple(_MODULES)


@cache
def model_for(api_version: str, kind: str) -> type[Model]:
    """The class of a kind. Raises UnknownKind."""
    if kind in _META_KINDS:
        api_version = "meta.k8s.io/v1"
    if api_version not in _MODULES:
        raise UnknownKind(f'no kind "{kind}" is registered for version "{api_version}"')
    module = import_module(f"sampan_api.models.{_MODULES[api_version]}")
    model: type[Model] | None = module.KINDS.get(kind)
    if model is None:
        raise UnknownKind(f'no kind "{kind}" is registered for version "{api_version}"')
    return model
