"""NodePorts: a host port is taken once per node, protocol and host address; 0.0.0.0 (or none) is every address.

Main containers and sidecars hold ports; other init containers are over before they could be in the way."""

from reference.reason import Reason
from reference.world import name, placed_on, spec

EVERY_ADDRESS = "0.0.0.0"


def host_ports(pod):
    sidecars = [c for c in spec(pod).get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    return [
        (port.get("hostIP") or EVERY_ADDRESS, port.get("protocol") or "TCP", port["hostPort"])
        for container in [*sidecars, *spec(pod)["containers"]]
        for port in container.get("ports") or []
        if port.get("hostPort", 0) > 0
    ]


def _collide(one, other):
    return one[1:] == other[1:] and (one[0] == other[0] or EVERY_ADDRESS in (one[0], other[0]))


def filter(world, pod, node):
    held = [port for other in placed_on(world, name(node)) for port in host_ports(other)]
    if any(_collide(port, other) for port in host_ports(pod) for other in held):
        return [Reason("node(s) didn't have free ports for the requested pod ports")]
    return []
