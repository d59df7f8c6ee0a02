"""A port given as a number or as the name of one of the container's ports."""

from __future__ import annotations

from sampan_agent.podspec import Container


def port_number(container: Container, port: int | str) -> int:
    """0 when no port has that name."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    ports = container.raw.get("ports") or []
    return next((int(p["containerPort"]) for p in ports if p.get("name") == port), 0)
