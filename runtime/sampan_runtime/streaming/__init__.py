"""The CRI streaming server: exec, attach and port-forward over WebSocket and SPDY.

    server      one-time tokens, the HTTP request head, and the choice of the protocol
    websocket   the channel protocols of Kubernetes over RFC 6455
    spdy        SPDY/3.1 streams, on the raw connection or inside WebSocket messages
    session     what runs behind a connection: a process's stdio, or connections into the pod
    fdio        descriptors that may be pipes or ptys, without threads

Only here are these protocols decoded; master and agent relay bytes.
"""
