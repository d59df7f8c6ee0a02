"""Binding: the post that puts a pod on a node."""

from sampan_api.fields import field
from sampan_api.models.core_v1.references import ObjectReference
from sampan_api.models.meta_v1 import ObjectModel


class Binding(ObjectModel):
    """Ties a pod to a node: what a scheduler posts."""

    API_VERSION = "v1"

    target: ObjectReference = field(2, "The node the pod shall run on.", required=True, always=True)
