"""Namespace."""

from sampan_api.fields import Model, Time, field
from sampan_api.models.meta_v1 import ObjectModel


class NamespaceSpec(Model):
    """What is wanted of a namespace."""

    finalizers: list[str] | None = field(
        1, "Who must clean up before the namespace may go.", list_type="atomic", go="[]v1.FinalizerName"
    )


class NamespaceCondition(Model):
    """One observation about a namespace."""

    type: str = field(1, "Which observation this is.", required=True, always=True, go="v1.NamespaceConditionType")
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    lastTransitionTime: Time | None = field(4, "When `status` last changed from one value to another.", always=True)
    reason: str | None = field(5, "One CamelCase word for programs: why it is so.")
    message: str | None = field(6, "A sentence for people.")


class NamespaceStatus(Model):
    """Where a namespace is in its life."""

    phase: str | None = field(
        1, "Active, or Terminating once deletion has begun.", enum=("Active", "Terminating"), go="v1.NamespacePhase"
    )
    conditions: list[NamespaceCondition] | None = field(
        2,
        "How far deletion has come, and what holds it up.",
        patch="merge",
        merge_key="type",
        list_type="map",
        map_keys=("type",),
    )


class Namespace(ObjectModel):
    """A scope for names: deleting it deletes what is in it."""

    API_VERSION = "v1"

    spec: NamespaceSpec | None = field(2, "What is wanted.", always=True)
    status: NamespaceStatus | None = field(3, "What was observed.", always=True)
