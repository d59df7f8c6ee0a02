"""One zygote per daemon, one shim per pod, and what they say to each other.

`client` runs in the daemon (asyncio). `zygote`, `shim` and everything they import run in small single-threaded
processes that outlive the daemon: standard library only, and none of asyncio, logging, ssl, grpc, pydantic.
"""
