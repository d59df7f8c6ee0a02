"""The API server: the Kubernetes REST API over one resource table. Rooms, each importing only from those below it:

server.py                 `ApiServer`: listeners, routes, start and stop
app.py, local.py          the two doors: HTTPS, and `LocalClient` in process; `bootstrap.py` makes the first objects
handlers/                 what answers a request
http/    subresources/    connections and requests; subresources with a behaviour of their own
registry/                 the verbs on stored objects, free of HTTP
auth/                     who asks, and whether they may
encoding/    discovery/   bytes <-> values; what the API says about itself
resources/                one file per kind, and the table of them
validation/               what may be stored
defaults/                 what is filled in
"""
