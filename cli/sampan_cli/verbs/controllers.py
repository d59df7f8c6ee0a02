"""`sampan controllers`: the controllers as a process of their own, for any Kubernetes API server."""

MODULE = "sampan_master.standalone.controllers"
