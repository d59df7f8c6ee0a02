"""autoscaling/v1: Scale, the shape of every `scale` subresource."""

from sampan_api.fields import Int32, Model, TypedModel, field
from sampan_api.models.meta_v1 import ObjectMeta


class ScaleSpec(Model):
    """How many are wanted."""

    replicas: Int32 | None = field(1, "That number.")


class ScaleStatus(Model):
    """How many there are."""

    replicas: Int32 = field(1, "That number.", required=True, always=True)
    selector: str | None = field(2, "Which pods they are, in the string form of a label selector.")


class Scale(TypedModel):
    """The number of replicas of something, seen through one shape."""

    API_VERSION = "autoscaling/v1"

    metadata: ObjectMeta | None = field(1, "Name, labels and the rest that all objects share.", always=True)
    spec: ScaleSpec | None = field(2, "What is wanted.", always=True)
    status: ScaleStatus | None = field(3, "What was observed.", always=True)
