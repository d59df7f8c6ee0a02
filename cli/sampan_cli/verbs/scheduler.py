"""`sampan scheduler`: the scheduler as a process of its own, for any Kubernetes API server."""

MODULE = "sampan_master.standalone.scheduler"
