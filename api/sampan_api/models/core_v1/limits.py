"""LimitRange: what one object of a namespace may use, and what it gets when it does not say."""

from sampan_api.fields import Model, Quantity, field
from sampan_api.models.meta_v1 import ObjectModel


class LimitRangeItem(Model):
    """The limits for one type of object."""

    type: str = field(1, "Pod, Container or PersistentVolumeClaim.", required=True, always=True, go="v1.LimitType")
    max: dict[str, Quantity] | None = field(2, "The most of each resource.", go="v1.ResourceList")
    min: dict[str, Quantity] | None = field(3, "The least of each resource.", go="v1.ResourceList")
    default: dict[str, Quantity] | None = field(4, "Limit for containers that set none.", go="v1.ResourceList")
    defaultRequest: dict[str, Quantity] | None = field(5, "Request for containers that set none.", go="v1.ResourceList")
    maxLimitRequestRatio: dict[str, Quantity] | None = field(
        6, "How far a limit may exceed its request.", go="v1.ResourceList"
    )


class LimitRangeSpec(Model):
    """Limits by type of object."""

    limits: list[LimitRangeItem] = field(1, "The limits.", required=True, always=True, list_type="atomic")


class LimitRange(ObjectModel):
    """Limits what single objects of a namespace use."""

    API_VERSION = "v1"

    spec: LimitRangeSpec | None = field(2, "What is wanted.", always=True)
