"""apps/v1: ReplicaSet."""

from sampan_api.fields import Int32, Int64, Model, Time, TypedModel, field
from sampan_api.models.core_v1.pod import PodTemplateSpec
from sampan_api.models.meta_v1 import LabelSelector, ObjectMeta


class ReplicaSetSpec(Model):
    """How many pods, and which."""

    replicas: Int32 | None = field(1, "How many; 1 by default.", pointer=True)
    minReadySeconds: Int32 | None = field(4, "Ready for this long counts as available.")
    selector: LabelSelector = field(2, "Pods that count; fixed once created.", required=True)
    template: PodTemplateSpec | None = field(3, "How new pods are made.", always=True)


class ReplicaSetCondition(Model):
    """One observation about a ReplicaSet."""

    type: str = field(1, "Which observation this is.", required=True, always=True, go="v1.ReplicaSetConditionType")
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    lastTransitionTime: Time | None = field(3, "When `status` last changed from one value to another.", always=True)
    reason: str | None = field(4, "One CamelCase word for programs: why it is so.")
    message: str | None = field(5, "A sentence for people.")


class ReplicaSetStatus(Model):
    """How many there are."""

    replicas: Int32 = field(1, "Pods that exist.", required=True, always=True)
    fullyLabeledReplicas: Int32 | None = field(2, "Pods that carry all labels of the template.")
    readyReplicas: Int32 | None = field(4, "Pods that are ready.")
    availableReplicas: Int32 | None = field(5, "Pods that have been ready long enough.")
    terminatingReplicas: Int32 | None = field(7, "Pods that are being deleted.", pointer=True)
    observedGeneration: Int64 | None = field(3, "Generation of the spec this was observed at.")
    conditions: list[ReplicaSetCondition] | None = field(
        6, "Observations such as ReplicaFailure.", patch="merge", merge_key="type", list_type="map", map_keys=("type",)
    )


class ReplicaSet(TypedModel):
    """Keeps a number of equal pods running."""

    API_VERSION = "apps/v1"

    metadata: ObjectMeta | None = field(1, "Name, labels and the rest that all objects share.", always=True)
    spec: ReplicaSetSpec | None = field(2, "What is wanted.", always=True)
    status: ReplicaSetStatus | None = field(3, "What was observed.", always=True)
