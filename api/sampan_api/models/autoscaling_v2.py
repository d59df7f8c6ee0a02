"""autoscaling/v2: HorizontalPodAutoscaler, by any metrics."""

from sampan_api.fields import Int32, Int64, Model, Quantity, Time, field
from sampan_api.models.meta_v1 import LabelSelector, ObjectModel, StatusCondition


class CrossVersionObjectReference(Model):
    """An object of the same namespace, by kind and name."""

    kind: str = field(1, "Kind of the object.", required=True, always=True)
    name: str = field(2, "Name of the object.", required=True, always=True)
    apiVersion: str | None = field(3, "Version of the object's API, with its group.")


class MetricIdentifier(Model):
    """A metric by its name and labels."""

    name: str = field(1, "Name of the metric.", required=True, always=True)
    selector: LabelSelector | None = field(2, "Narrows the metric down by its labels.")


class MetricTarget(Model):
    """A value for a metric to reach."""

    type: str = field(1, "Utilization, Value or AverageValue.", required=True, always=True, go="v2.MetricTargetType")
    value: Quantity | None = field(2, "The metric itself.", pointer=True)
    averageValue: Quantity | None = field(3, "The metric divided by the number of pods.", pointer=True)
    averageUtilization: Int32 | None = field(4, "Percent of what the pods request, on average.", pointer=True)


class MetricValueStatus(Model):
    """What the metric is."""

    value: Quantity | None = field(1, "The metric itself.", pointer=True)
    averageValue: Quantity | None = field(2, "The metric divided by the number of pods.", pointer=True)
    averageUtilization: Int32 | None = field(3, "Percent of what the pods request, on average.", pointer=True)


class ObjectMetricSource(Model):
    """A metric, the one object that it belongs to, and a value for it to reach."""

    describedObject: CrossVersionObjectReference = field(1, "The object.", required=True, always=True)
    target: MetricTarget = field(2, "What the metric shall be.", required=True, always=True)
    metric: MetricIdentifier = field(3, "Which metric.", required=True, always=True)


class PodsMetricSource(Model):
    """A metric of each pod, averaged."""

    metric: MetricIdentifier = field(1, "Which metric.", required=True, always=True)
    target: MetricTarget = field(2, "What the average shall be.", required=True, always=True)


class ResourceMetricSource(Model):
    """What pods use of a resource, averaged."""

    name: str = field(1, "The resource: cpu, memory.", required=True, always=True, go="v1.ResourceName")
    target: MetricTarget = field(2, "What the average shall be.", required=True, always=True)


class ContainerResourceMetricSource(Model):
    """What one container of each pod uses of a resource, averaged."""

    name: str = field(1, "The resource: cpu, memory.", required=True, always=True, go="v1.ResourceName")
    target: MetricTarget = field(2, "What the average shall be.", required=True, always=True)
    container: str = field(3, "The container.", required=True, always=True)


class ExternalMetricSource(Model):
    """A metric that belongs to nothing in the cluster, and a value for it to reach."""

    metric: MetricIdentifier = field(1, "Which metric.", required=True, always=True)
    target: MetricTarget = field(2, "What the metric shall be.", required=True, always=True)


class MetricSpec(Model):
    """One metric to go by. Exactly the field that `type` names is set."""

    type: str = field(
        1,
        "Object, Pods, Resource, ContainerResource or External.",
        required=True,
        always=True,
        go="v2.MetricSourceType",
    )
    object: ObjectMetricSource | None = field(2, "A metric of one object.")
    pods: PodsMetricSource | None = field(3, "A metric of each pod.")
    resource: ResourceMetricSource | None = field(4, "What pods use of a resource.")
    containerResource: ContainerResourceMetricSource | None = field(
        7, "What one container of each pod uses of a resource."
    )
    external: ExternalMetricSource | None = field(5, "A metric of something outside the cluster.")


class HPAScalingPolicy(Model):
    """A limit: so many pods, or percent of them, in so many seconds."""

    type: str = field(1, "Pods or Percent.", required=True, always=True, go="v2.HPAScalingPolicyType")
    value: Int32 = field(2, "So many pods, or percent of them.", required=True, always=True)
    periodSeconds: Int32 = field(3, "In this time, at most 1800.", required=True, always=True)


class HPAScalingRules(Model):
    """How fast the number may change in one direction."""

    stabilizationWindowSeconds: Int32 | None = field(
        3, "The most cautious wish of this time counts; at most 3600.", pointer=True
    )
    selectPolicy: str | None = field(
        1, "Which policy counts: Max (the default), Min, or Disabled.", pointer=True, go="v2.ScalingPolicySelect"
    )
    policies: list[HPAScalingPolicy] | None = field(2, "How much may change in how long.", list_type="atomic")
    tolerance: Quantity | None = field(4, "How far the metric may stray before anything changes.", pointer=True)


class HorizontalPodAutoscalerBehavior(Model):
    """The pace of change, up and down."""

    scaleUp: HPAScalingRules | None = field(1, "Upwards.")
    scaleDown: HPAScalingRules | None = field(2, "Downwards.")


class HorizontalPodAutoscalerSpec(Model):
    """What is scaled, within which bounds, and by what."""

    scaleTargetRef: CrossVersionObjectReference = field(
        1, "The object whose `scale` is written.", required=True, always=True
    )
    minReplicas: Int32 | None = field(2, "At least so many; 1 by default.", pointer=True)
    maxReplicas: Int32 = field(3, "At most so many.", required=True, always=True)
    metrics: list[MetricSpec] | None = field(
        4, "What to go by, the one that asks for most; cpu at 80 % by default.", list_type="atomic"
    )
    behavior: HorizontalPodAutoscalerBehavior | None = field(5, "How fast the number may change.")


class ObjectMetricStatus(Model):
    """A metric of one object, as it is."""

    metric: MetricIdentifier = field(1, "Which metric.", required=True, always=True)
    current: MetricValueStatus = field(2, "What it is.", required=True, always=True)
    describedObject: CrossVersionObjectReference = field(3, "The object.", required=True, always=True)


class PodsMetricStatus(Model):
    """A metric of each pod, as it is on average."""

    metric: MetricIdentifier = field(1, "Which metric.", required=True, always=True)
    current: MetricValueStatus = field(2, "What it is.", required=True, always=True)


class ResourceMetricStatus(Model):
    """The use of a resource by the pods, as it is."""

    name: str = field(1, "The resource.", required=True, always=True, go="v1.ResourceName")
    current: MetricValueStatus = field(2, "What it is.", required=True, always=True)


class ContainerResourceMetricStatus(Model):
    """The use of a resource by one container of each pod, as it is."""

    name: str = field(1, "The resource.", required=True, always=True, go="v1.ResourceName")
    current: MetricValueStatus = field(2, "What it is.", required=True, always=True)
    container: str = field(3, "The container.", required=True, always=True)


class ExternalMetricStatus(Model):
    """A metric of something outside the cluster, as it is."""

    metric: MetricIdentifier = field(1, "Which metric.", required=True, always=True)
    current: MetricValueStatus = field(2, "What it is.", required=True, always=True)


class MetricStatus(Model):
    """One metric, as it is. Exactly the field that `type` names is set."""

    type: str = field(
        1,
        "Object, Pods, Resource, ContainerResource or External.",
        required=True,
        always=True,
        go="v2.MetricSourceType",
    )
    object: ObjectMetricStatus | None = field(2, "A metric of one object.")
    pods: PodsMetricStatus | None = field(3, "A metric of each pod.")
    resource: ResourceMetricStatus | None = field(4, "What pods use of a resource.")
    containerResource: ContainerResourceMetricStatus | None = field(
        7, "What one container of each pod uses of a resource."
    )
    external: ExternalMetricStatus | None = field(5, "A metric of something outside the cluster.")


class HorizontalPodAutoscalerCondition(StatusCondition):
    """One observation about an autoscaler."""

    type: str = field(
        1,
        "Which observation this is.",
        required=True,
        always=True,
        go="v2.HorizontalPodAutoscalerConditionType",
    )


class HorizontalPodAutoscalerStatus(Model):
    """How many there are, and by what."""

    observedGeneration: Int64 | None = field(1, "Generation of the spec this was observed at.", pointer=True)
    lastScaleTime: Time | None = field(2, "When the number was last changed.", pointer=True)
    currentReplicas: Int32 | None = field(3, "Pods that exist.")
    desiredReplicas: Int32 = field(4, "Pods that were last asked for.", required=True, always=True)
    currentMetrics: list[MetricStatus] | None = field(5, "The metrics, as they are.", list_type="atomic")
    conditions: list[HorizontalPodAutoscalerCondition] | None = field(
        6,
        "Observations such as AbleToScale.",
        patch="merge",
        merge_key="type",
        list_type="map",
        map_keys=("type",),
    )


class HorizontalPodAutoscaler(ObjectModel):
    """Changes the number of replicas of something so that metrics stay near their targets."""

    API_VERSION = "autoscaling/v2"

    spec: HorizontalPodAutoscalerSpec = field(2, "What is wanted.", required=True, always=True)
    status: HorizontalPodAutoscalerStatus | None = field(3, "What was observed.", always=True)
