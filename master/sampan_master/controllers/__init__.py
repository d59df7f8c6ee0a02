"""The controllers: each watches what is, and asks the API for what should be.

Every controller is a pure function `snapshot -> actions` (replicaset, node_health, taint_eviction, …) plus the one
shared loop in `workqueue`: informers put keys on a queue, a worker takes a key, reconciles and performs. Nothing is
remembered that cannot be read again from the API, save the expectations that keep a stale cache from acting twice.
"""

from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.run import run

__all__ = ["ControllersConfig", "run"]
