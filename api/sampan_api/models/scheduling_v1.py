"""scheduling.k8s.io/v1: PriorityClass."""

from sampan_api.fields import Int32, field
from sampan_api.models.meta_v1 import ObjectModel


class PriorityClass(ObjectModel):
    """A name for a priority."""

    API_VERSION = "scheduling.k8s.io/v1"

    value: Int32 | None = field(2, "The priority; higher goes first.", always=True)
    globalDefault: bool | None = field(3, "Whether pods without a class get this one.")
    description: str | None = field(4, "When to use it, for people.")
    preemptionPolicy: str | None = field(
        5,
        "Whether its pods may displace others of lower priority.",
        pointer=True,
        enum=("Never", "PreemptLowerPriority"),
        go="v1.PreemptionPolicy",
    )
