"""Subresources with a behaviour of their own, free of HTTP: each is a few calls of the registry. Those that only change
one part of their object (`status`, `resize`, ...) are scopes of an update: `registry/scopes.py`.

binding.py          `pods/binding`
eviction.py         `pods/eviction`
scaling.py          `scale` of everything that keeps replicas, with its owners in `scale_ownership.py`
token_requests.py   `serviceaccounts/token`
"""
