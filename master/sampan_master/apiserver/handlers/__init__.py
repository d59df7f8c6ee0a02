"""What answers a request: from its path and body to one call of the registry, and from the result to the answer.

api_groups.py                     which of them answers: discovery, reviews or the resources
endpoint.py                       every verb of every resource, with `routing.py` and `delete_requests.py`
watch_streams.py                  watches
pod_streams.py, node_streams.py   log, exec, attach and port-forward; the seam to the nodes
documents.py, openapi.py          what the API says about itself
explaining.py                     the scheduler's own answers
metrics.py                        what is counted about requests
"""
