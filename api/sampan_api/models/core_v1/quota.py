"""ResourceQuota: how much a namespace may use in all."""

from sampan_api.fields import Model, Quantity, field
from sampan_api.models.meta_v1 import ObjectModel

_SCOPES = (
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
)


class ScopedResourceSelectorRequirement(Model):
    """One condition on the objects that are counted."""

    scopeName: str = field(
        1,
        "What is asked of them.",
        required=True,
        always=True,
        enum=_SCOPES,
        go="v1.ResourceQuotaScope",
    )
    operator: str = field(
        2,
        "In, NotIn, Exists or DoesNotExist.",
        required=True,
        always=True,
        enum=("DoesNotExist", "Exists", "In", "NotIn"),
        go="v1.ScopeSelectorOperator",
    )
    values: list[str] | None = field(3, "Values for In and NotIn; none otherwise.", list_type="atomic")


class ScopeSelector(Model):
    """Which objects are counted."""

    MAP_TYPE = "atomic"

    matchExpressions: list[ScopedResourceSelectorRequirement] | None = field(
        1, "The conditions; all must hold.", list_type="atomic"
    )


class ResourceQuotaSpec(Model):
    """What may be used."""

    hard: dict[str, Quantity] | None = field(
        1, "The most of each resource, e.g. `pods` or `requests.cpu`.", go="v1.ResourceList"
    )
    scopes: list[str] | None = field(
        2,
        "Count only objects to which all of these apply.",
        list_type="atomic",
        enum=_SCOPES,
        go="[]v1.ResourceQuotaScope",
    )
    scopeSelector: ScopeSelector | None = field(3, "Count only objects to which this applies; finer than `scopes`.")


class ResourceQuotaStatus(Model):
    """What is used."""

    hard: dict[str, Quantity] | None = field(1, "The limits in force.", go="v1.ResourceList")
    used: dict[str, Quantity] | None = field(2, "What the namespace uses of each.", go="v1.ResourceList")


class ResourceQuota(ObjectModel):
    """Limits what all objects of a namespace use together."""

    API_VERSION = "v1"

    spec: ResourceQuotaSpec | None = field(2, "What is wanted.", always=True)
    status: ResourceQuotaStatus | None = field(3, "What was observed.", always=True)
