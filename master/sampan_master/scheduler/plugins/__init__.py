"""The plug-ins: each a short module with a `FILTER` (may this pod run there?), a `SCORE` (how well?) or both.

A filter returns a mask over the rows it is asked about and can name its reasons; a score returns one integer per row.
The engine asks about all rows once per signature and then only about rows that changed, so a plug-in must look at
nothing but the columns of those rows. Filters run in the order listed; a node's reasons are those of the first that
refuses it.
"""

from __future__ import annotations

from sampan_master.scheduler.plugins import (
    balanced_allocation,
    node_affinity,
    node_name,
    node_unschedulable,
    resources_fit,
    taint_toleration,
)
from sampan_master.scheduler.plugins.plugin import Filter, Score

FILTERS: tuple[Filter, ...] = (
    node_unschedulable.FILTER,
    node_name.FILTER,
    taint_toleration.FILTER,
    node_affinity.FILTER,
    resources_fit.FILTER,
)
SCORES: tuple[Score, ...] = (
    taint_toleration.SCORE,
    node_affinity.SCORE,
    resources_fit.SCORE,
    balanced_allocation.SCORE,
)

__all__ = ["FILTERS", "SCORES", "Filter", "Score"]
