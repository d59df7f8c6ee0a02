"""policy/v1: PodDisruptionBudget, and the Eviction that asks it."""

from sampan_api.fields import Int32, Int64, IntOrString, Model, Time, field
from sampan_api.models.meta_v1 import Condition, DeleteOptions, LabelSelector, ObjectModel


class PodDisruptionBudgetSpec(Model):
    """How many pods must stay healthy, and which."""

    minAvailable: IntOrString | None = field(
        1, "Evictions must leave at least so many healthy; a number or a share of what is wanted.", pointer=True
    )
    selector: LabelSelector | None = field(2, "Pods the budget is for; `{}` is all, null none.", patch="replace")
    maxUnavailable: IntOrString | None = field(
        3, "Evictions may leave at most so many missing; a number or a share of what is wanted.", pointer=True
    )
    unhealthyPodEvictionPolicy: str | None = field(
        4,
        "Whether running pods that are not ready may go when the budget is not met.",
        pointer=True,
        enum=("AlwaysAllow", "IfHealthyBudget"),
        go="v1.UnhealthyPodEvictionPolicyType",
    )


class PodDisruptionBudgetStatus(Model):
    """What the budget allows right now."""

    observedGeneration: Int64 | None = field(1, "Generation of the spec this was observed at.")
    disruptedPods: dict[str, Time] | None = field(
        2, "Pods whose eviction was granted and has not been seen yet, with the time of the grant."
    )
    disruptionsAllowed: Int32 | None = field(3, "How many pods may be evicted now.", always=True)
    currentHealthy: Int32 | None = field(4, "How many are healthy.", always=True)
    desiredHealthy: Int32 | None = field(5, "How many must be.", always=True)
    expectedPods: Int32 | None = field(6, "How many the budget counts in all.", always=True)
    conditions: list[Condition] | None = field(
        7,
        "Observations: DisruptionAllowed.",
        patch="merge",
        merge_key="type",
        list_type="map",
        map_keys=("type",),
    )


class PodDisruptionBudget(ObjectModel):
    """Limits how many pods of an application are evicted at the same time."""

    API_VERSION = "policy/v1"

    spec: PodDisruptionBudgetSpec | None = field(2, "What is wanted.", always=True)
    status: PodDisruptionBudgetStatus | None = field(3, "What was observed.", always=True)


class Eviction(ObjectModel):
    """Asks for a pod to be removed in good order."""

    API_VERSION = "policy/v1"

    deleteOptions: DeleteOptions | None = field(2, "How to delete it.")
