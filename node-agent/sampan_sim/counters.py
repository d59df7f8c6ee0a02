"""What the simulation has done, for the line it prints in the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    pods_taken_on: int = 0
    containers_started: int = 0
    containers_failed: int = 0
    succeeded: int = 0
    failed: int = 0
    deleted: int = 0
    status_writes: int = 0
    lease_renewals: int = 0
    node_reports: int = 0
    retries: int = 0

    def line(self, nodes: int, pods: int, seconds: float, cpu: float) -> str:
        return (
            f"{nodes} nodes, {pods} pods in the end; {self.pods_taken_on} pods taken on, "
            f"{self.containers_started} starts, {self.containers_failed} failures, {self.succeeded} pods succeeded, "
            f"{self.failed} failed, {self.deleted} deleted; {self.status_writes} status writes, "
            f"{self.lease_renewals} lease renewals, {self.node_reports} node reports, {self.retries} repeated; "
            f"{cpu:.1f} s of CPU in {seconds:.0f} s"
        )
