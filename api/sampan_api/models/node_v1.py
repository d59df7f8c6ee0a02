"""node.k8s.io/v1: RuntimeClass."""

from sampan_api.fields import Model, Quantity, field
from sampan_api.models.core_v1.placement import Toleration
from sampan_api.models.meta_v1 import ObjectModel


class Overhead(Model):
    """What running a pod costs beside its containers."""

    podFixed: dict[str, Quantity] | None = field(1, "That much per pod, by resource.", go="v1.ResourceList")


class Scheduling(Model):
    """Which nodes can run pods of a class."""

    nodeSelector: dict[str, str] | None = field(1, "Labels the nodes have; added to the pod's own.", map_type="atomic")
    tolerations: list[Toleration] | None = field(
        2, "Taints the pods may live with, added to the pod's own.", list_type="atomic"
    )


class RuntimeClass(ObjectModel):
    """A way of running containers, that pods choose by name."""

    API_VERSION = "node.k8s.io/v1"

    handler: str = field(2, "The node runtime's name for it; fixed once created.", required=True, always=True)
    overhead: Overhead | None = field(3, "What a pod of this class costs beside its containers.")
    scheduling: Scheduling | None = field(4, "Which nodes know this class; all by default.")
