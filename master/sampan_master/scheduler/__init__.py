"""The scheduler: an unbound pod comes in, a Binding goes out.

`run` is the whole of it; the layers below it, each knowing only those before it:

    requests, signature   what a pod asks for, as a hashable value
    columns               the nodes as numpy columns (codes), with a log of which rows changed (changelog)
    plugins/              filters (masks) and scores (vectors) over those columns
    policies/             the same from the user's own Python files, under guard
    configuration/        a KubeSchedulerConfiguration becomes profiles of plug-ins
    engine                mask and score per signature, kept up to date by the log; argmax
    verdict               why nothing fits, in Kubernetes' words
    queue                 active, back-off, unschedulable
    metrics               what it counts about itself, by kube-scheduler's names
    scheduler             informers in, Bindings and conditions out
    explanation           why a pod has no node, and what would help (remedies, leaving)
    whatif                what would become of pods that are not there yet, on a copy of the planner
"""

from sampan_master.scheduler.answers import Answers
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.configuration import ConfigError, read_config
from sampan_master.scheduler.metrics import SchedulerMetrics
from sampan_master.scheduler.scheduler import run

__all__ = ["Answers", "ConfigError", "SchedulerConfig", "SchedulerMetrics", "read_config", "run"]
