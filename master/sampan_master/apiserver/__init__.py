"""The API server: the Kubernetes REST API over one resource table.

resources/        one file per kind: names, defaults, validation, update rules, printer columns, selectors
registry.py       the verbs on stored objects, free of HTTP: create, update, patch, delete, list, watch
local.py          `LocalClient`: the registry as a `sampan_api.client.Client`, in process
server.py         `ApiServer`: listeners, routes, start and stop
streams.py        the seam to the nodes for logs, exec, attach and port-forward
"""
