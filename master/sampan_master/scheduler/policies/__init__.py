"""Policies: Python files of the user's own, whose functions filter and score nodes beside the plug-ins.

    def filter_NAME(nodes, pod) -> one bool for each node       may the pod run there? each node is judged by itself
    def score_NAME(nodes, pod)  -> one number for each node     the more the better; stretched to 0..100 over the nodes
    def permit_NAME(nodes, pod) -> bool                         the last word on the one node that was chosen

views    what `nodes` and `pod` are
guard    the limits a function is called under: time, shape, and what becomes of one that fails
loading  a file becomes plug-ins

A policy never stops scheduling: what fails is reported and left out.
"""

from __future__ import annotations

from sampan_master.scheduler.policies.guard import Failure, Guard
from sampan_master.scheduler.policies.loading import Policy, load

__all__ = ["Failure", "Guard", "Policy", "load"]
