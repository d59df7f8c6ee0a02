"""`KubeSchedulerConfiguration` (kubescheduler.config.k8s.io/v1), read strictly: every field that is unknown or wrong
is named with its path and what would be right, and what Sampan does otherwise than Kubernetes is warned about.

models    the fields, as pydantic models with Kubernetes' names
points    which plug-ins run at which extension point: defaults, enabled, disabled, multiPoint
registry  what each plug-in's name stands for, and its arguments
reading   the file, its errors and warnings, and the `SchedulerConfig` it makes
"""

from __future__ import annotations

from sampan_master.scheduler.configuration.reading import ConfigError, read_config

__all__ = ["ConfigError", "read_config"]
