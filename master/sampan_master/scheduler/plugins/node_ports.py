"""NodePorts: a host port can be had once on a node, for each protocol and address; 0.0.0.0 is every address."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sampan_master.scheduler.columns import Bools, Ints, NodeColumns, Rows
from sampan_master.scheduler.plugins.plugin import Filter, Plugin, Refusal, Scope
from sampan_master.scheduler.signature import HostPort, Signature

NAME = "NodePorts"
REASON = "node(s) didn't have free ports for the requested pod ports"
_EVERY_ADDRESS = "0.0.0.0"


def mask(nodes: NodeColumns, pod: Signature, rows: Rows) -> Bools:
    free = np.ones(nodes.live[rows].shape, np.bool_)
    for wanted in pod.load.ports:
        for used in in_the_way(wanted, nodes):
            free &= nodes.ports[used][rows] <= 0
    return free


def in_the_way(wanted: HostPort, nodes: NodeColumns) -> Iterator[HostPort]:
    """The ports that cannot be used beside `wanted`, of those that anybody uses."""
    ip, protocol, port = wanted
    for used in nodes.ports:
        if used.port == port and used.protocol == protocol and (ip == used.ip or _EVERY_ADDRESS in (ip, used.ip)):
            yield used


def refuse(nodes: NodeColumns, pod: Signature, rows: Ints) -> list[Refusal]:
    words: dict[str, int] = {}
    taken: list[list[str]] = [[] for _ in rows]
    for wanted in pod.load.ports:
        for used in in_the_way(wanted, nodes):
            for i in np.flatnonzero(nodes.ports[used][rows] > 0).tolist():
                taken[i].append(str_of(used))
    have = [words.setdefault(f"{', '.join(dict.fromkeys(used))} taken", len(words)) for used in taken]
    need = f"free {', '.join(map(str_of, pod.load.ports))}"
    hopeless = np.zeros(rows.size, np.bool_)
    return [Refusal(NAME, REASON, rows, hopeless, need, np.array(have, np.int64), tuple(words))]


def str_of(port: HostPort) -> str:
    """As a person would say it: "port 80/TCP", "port 80/TCP on 10.0.0.1"."""
    where = "" if port.ip == _EVERY_ADDRESS else f" on {port.ip}"
    return f"port {port.port}/{port.protocol}{where}"


PLUGIN = Plugin(NAME, Filter(Scope.ROW, mask, refuse))
