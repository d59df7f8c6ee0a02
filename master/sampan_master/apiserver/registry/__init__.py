"""The verbs on stored objects, free of HTTP: create, update, patch, delete, list, watch, and what belongs to all of
them. Both doors, HTTPS and `LocalClient`, end here.

verbs.py                                   `Registry`: the order of the steps of every write
admission.py, certificate_requesters.py    what the cluster's state says about a new object
node_room.py, allocation.py                what no two objects may have: room on a node, addresses and ports
applying.py, patching.py                   a body that is not the whole object -> the object that will be stored
scopes.py                                  which part of an object each door may change
preparing.py, ownership.py                 what the server itself writes: metadata, managedFields
deletion.py                                remove it now, or mark it and wait
listing.py, watching.py                    reading, with `selecting.py` (which objects) and `revisions.py` (as of when)
"""
