"""coordination.k8s.io/v1: Lease."""

from sampan_api.fields import Int32, MicroTime, Model, field
from sampan_api.models.meta_v1 import ObjectModel


class LeaseSpec(Model):
    """Who holds it and until when."""

    holderIdentity: str | None = field(1, "Who holds it.", pointer=True)
    leaseDurationSeconds: Int32 | None = field(2, "How long it counts after the last renewal.", pointer=True)
    acquireTime: MicroTime | None = field(3, "When the holder took it.", pointer=True)
    renewTime: MicroTime | None = field(4, "When the holder last renewed it.", pointer=True)
    leaseTransitions: Int32 | None = field(5, "How often it changed hands.", pointer=True)
    strategy: str | None = field(6, "How a leader is chosen.", pointer=True, go="v1.CoordinatedLeaseStrategy")
    preferredHolder: str | None = field(7, "Who shall have it next.", pointer=True)


class Lease(ObjectModel):
    """A claim that ends unless it is renewed: heartbeats and leader election."""

    API_VERSION = "coordination.k8s.io/v1"

    spec: LeaseSpec | None = field(2, "What is wanted.", always=True)
