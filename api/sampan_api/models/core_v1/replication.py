"""PodTemplate, and ReplicationController, which ReplicaSet took the place of."""

from sampan_api.fields import Int32, Int64, Model, field
from sampan_api.models.core_v1.pod import PodTemplateSpec
from sampan_api.models.meta_v1 import ObjectModel, StatusCondition


class PodTemplate(ObjectModel):
    """A pod template stored by itself."""

    API_VERSION = "v1"

    template: PodTemplateSpec | None = field(2, "The pods it describes.", always=True)


class ReplicationControllerSpec(Model):
    """How many pods, and which."""

    replicas: Int32 | None = field(1, "How many; 1 by default.", pointer=True, default=1)
    minReadySeconds: Int32 | None = field(4, "Ready for this long counts as available.")
    selector: dict[str, str] | None = field(
        2, "Labels of the pods that count; the template's by default.", map_type="atomic"
    )
    template: PodTemplateSpec | None = field(3, "How new pods are made.")


class ReplicationControllerCondition(StatusCondition):
    """One observation about a ReplicationController."""

    type: str = field(
        1, "Which observation this is.", required=True, always=True, go="v1.ReplicationControllerConditionType"
    )


class ReplicationControllerStatus(Model):
    """How many there are."""

    replicas: Int32 = field(1, "Pods that exist.", required=True, always=True)
    fullyLabeledReplicas: Int32 | None = field(2, "Pods that carry all labels of the template.")
    readyReplicas: Int32 | None = field(4, "Pods that are ready.")
    availableReplicas: Int32 | None = field(5, "Pods that have been ready long enough.")
    observedGeneration: Int64 | None = field(3, "Generation of the spec this was observed at.")
    conditions: list[ReplicationControllerCondition] | None = field(
        6, "Observations such as ReplicaFailure.", patch="merge", merge_key="type", list_type="map", map_keys=("type",)
    )


class ReplicationController(ObjectModel):
    """Keeps a number of equal pods running (ReplicaSet is its successor)."""

    API_VERSION = "v1"

    spec: ReplicationControllerSpec | None = field(2, "What is wanted.", always=True)
    status: ReplicationControllerStatus | None = field(3, "What was observed.", always=True)
