"""Free TCP ports on 127.0.0.1. Between asking and listening somebody may take one; the listener's log then says so."""

from __future__ import annotations

import socket


def is_free(port: int) -> bool:
    return _binds("127.0.0.1", port)


def is_taken_everywhere(port: int) -> bool:
    """Whether somebody listens on all addresses, so also on those that are made later. A loopback address that nobody
    uses tells."""
    return not _binds("127.77.77.77", port)


def _binds(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def any_free(count: int) -> list[int]:
    """Distinct ports that the kernel picks."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [int(opened.getsockname()[1]) for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()
