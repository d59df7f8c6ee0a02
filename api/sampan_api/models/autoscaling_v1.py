"""autoscaling/v1: Scale, the shape of every `scale` subresource; HorizontalPodAutoscaler as it was, for cpu alone."""

from sampan_api.fields import Int32, Int64, Model, Time, field
from sampan_api.models.meta_v1 import ObjectModel


class ScaleSpec(Model):
    """How many are wanted."""

    replicas: Int32 | None = field(1, "That number.")


class ScaleStatus(Model):
    """How many there are."""

    replicas: Int32 = field(1, "That number.", required=True, always=True)
    selector: str | None = field(2, "Which pods they are, in the string form of a label selector.")


class Scale(ObjectModel):
    """The number of replicas of something, seen through one shape."""

    API_VERSION = "autoscaling/v1"

    spec: ScaleSpec | None = field(2, "What is wanted.", always=True)
    status: ScaleStatus | None = field(3, "What was observed.", always=True)


class CrossVersionObjectReference(Model):
    """An object of the same namespace, by kind and name."""

    MAP_TYPE = "atomic"

    kind: str = field(1, "Kind of the object.", required=True, always=True)
    name: str = field(2, "Name of the object.", required=True, always=True)
    apiVersion: str | None = field(3, "Version of the object's API, with its group.")


class HorizontalPodAutoscalerSpec(Model):
    """What is scaled, and within which bounds."""

    scaleTargetRef: CrossVersionObjectReference = field(
        1, "The object whose `scale` is written.", required=True, always=True
    )
    minReplicas: Int32 | None = field(2, "At least so many; 1 by default.", pointer=True)
    maxReplicas: Int32 = field(3, "At most so many.", required=True, always=True)
    targetCPUUtilizationPercentage: Int32 | None = field(
        4, "Percent of the cpu they request that pods shall use, on average; 80 by default.", pointer=True
    )


class HorizontalPodAutoscalerStatus(Model):
    """How many there are, and how much cpu they use."""

    observedGeneration: Int64 | None = field(1, "Generation of the spec this was observed at.", pointer=True)
    lastScaleTime: Time | None = field(2, "When the number was last changed.", pointer=True)
    currentReplicas: Int32 = field(3, "Pods that exist.", required=True, always=True)
    desiredReplicas: Int32 = field(4, "Pods that were last asked for.", required=True, always=True)
    currentCPUUtilizationPercentage: Int32 | None = field(
        5, "Percent of the cpu they request that pods use, on average.", pointer=True
    )


class HorizontalPodAutoscaler(ObjectModel):
    """Changes the number of replicas of something so that its pods use a share of their cpu; v2 knows more metrics."""

    API_VERSION = "autoscaling/v1"

    spec: HorizontalPodAutoscalerSpec = field(2, "What is wanted.", required=True, always=True)
    status: HorizontalPodAutoscalerStatus | None = field(3, "What was observed.", always=True)
