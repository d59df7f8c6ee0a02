"""The plug-ins, each a short module; `plugin.py` says what one is made of.

Filters run in the order a profile lists them; a node's reasons are those of the first that refuses it.
"""

from __future__ import annotations

from sampan_master.scheduler.plugins import (
    balanced_allocation,
    image_locality,
    inter_pod_affinity,
    node_affinity,
    node_name,
    node_ports,
    node_unschedulable,
    pod_topology_spread,
    resources_fit,
    taint_toleration,
)
from sampan_master.scheduler.plugins.plugin import Plugin

DEFAULT: tuple[Plugin, ...] = (
    node_affinity.NAMED,
    node_unschedulable.PLUGIN,
    node_name.PLUGIN,
    taint_toleration.PLUGIN,
    node_affinity.PLUGIN,
    node_ports.PLUGIN,
    resources_fit.PLUGIN,
    pod_topology_spread.PLUGIN,
    inter_pod_affinity.PLUGIN,
    balanced_allocation.PLUGIN,
    image_locality.PLUGIN,
)
"""Kubernetes' default profile in the order of its filters."""

__all__ = ["DEFAULT", "Plugin"]
