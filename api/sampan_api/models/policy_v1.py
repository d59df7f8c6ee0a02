"""policy/v1: Eviction."""

from sampan_api.fields import TypedModel, field
from sampan_api.models.meta_v1 import DeleteOptions, ObjectMeta


class Eviction(TypedModel):
    """Asks for a pod to be removed in good order."""

    API_VERSION = "policy/v1"

    metadata: ObjectMeta | None = field(1, "Name, labels and the rest that all objects share.", always=True)
    deleteOptions: DeleteOptions | None = field(2, "How to delete it.")
