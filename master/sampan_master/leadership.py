"""Which Leases a process holds, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sampan_api.election import Election

from sampan_master.prometheus import Source, head, shown

_NAME = "leader_election_master_status"


def source(elections: Sequence[Election]) -> Source:
    def lines() -> Iterable[str]:
        yield from head(_NAME, "gauge", "Whether this process leads: 1 is the leader, 0 a candidate.")
        for election in elections:
            yield f"{_NAME}{shown({'name': election.name})} {int(election.leading)}"

    return lines
