"""HTTP itself: connections, their limits, and one request with the ways to answer it. Knows no resource.

protocol.py, raw_connection.py       HTTP/1.1 over TLS, and the bytes of a connection that HTTP has let go of
limits.py                            what one client may take before anybody knows who it is
requests.py                          one request, for the handlers
compression.py, warning_headers.py   parts of an answer
"""
