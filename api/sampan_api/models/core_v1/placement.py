"""Where pods go: selectors of nodes, affinity, spreading, taints and tolerations."""

from sampan_api.fields import Int32, Int64, Model, Time, field
from sampan_api.models.meta_v1 import LabelSelector


class NodeSelectorRequirement(Model):
    """One condition on a label or field of a node."""

    key: str = field(1, "Label key or field name.", required=True, always=True)
    operator: str = field(
        2,
        "How the values are compared.",
        required=True,
        always=True,
        enum=("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"),
        go="v1.NodeSelectorOperator",
    )
    values: list[str] | None = field(
        3, "Values for In and NotIn; one integer for Gt and Lt; none for Exists and DoesNotExist.", list_type="atomic"
    )


class NodeSelectorTerm(Model):
    """One alternative: every expression and field must fit. An empty term fits no node."""

    MAP_TYPE = "atomic"

    matchExpressions: list[NodeSelectorRequirement] | None = field(
        1, "Conditions on the node's labels.", list_type="atomic"
    )
    matchFields: list[NodeSelectorRequirement] | None = field(
        2, "Conditions on the node's fields; only `metadata.name` is known.", list_type="atomic"
    )


class NodeSelector(Model):
    """Which nodes: those that fit at least one term."""

    MAP_TYPE = "atomic"

    nodeSelectorTerms: list[NodeSelectorTerm] = field(
        1, "The alternatives.", required=True, always=True, list_type="atomic"
    )


class PreferredSchedulingTerm(Model):
    """A wish about nodes, with its weight."""

    weight: Int32 = field(1, "How much it counts, 1 to 100.", required=True, always=True)
    preference: NodeSelectorTerm = field(2, "The nodes wished for.", required=True, always=True)


class NodeAffinity(Model):
    """Demands and wishes about nodes."""

    requiredDuringSchedulingIgnoredDuringExecution: NodeSelector | None = field(1, "Only these nodes will do.")
    preferredDuringSchedulingIgnoredDuringExecution: list[PreferredSchedulingTerm] | None = field(
        2, "Nodes that are better than others, by weight.", list_type="atomic"
    )


class PodAffinityTerm(Model):
    """Some pods, and what counts as being in one place with them."""

    labelSelector: LabelSelector | None = field(1, "Which pods; null selects none.")
    namespaces: list[str] | None = field(
        2, "Namespaces to look in; none, and no selector, means the pod's own.", list_type="atomic"
    )
    topologyKey: str = field(3, "Nodes with equal values of this label are one place.", required=True, always=True)
    namespaceSelector: LabelSelector | None = field(4, "Namespaces to look in, by their labels; `{}` means all.")
    matchLabelKeys: list[str] | None = field(
        5, "Labels whose values are taken from the new pod and must be equal.", list_type="atomic"
    )
    mismatchLabelKeys: list[str] | None = field(
        6, "Labels whose values are taken from the new pod and must differ.", list_type="atomic"
    )


class WeightedPodAffinityTerm(Model):
    """A wish about other pods, with its weight."""

    weight: Int32 = field(1, "How much it counts, 1 to 100.", required=True, always=True)
    podAffinityTerm: PodAffinityTerm = field(2, "The pods and the place.", required=True, always=True)


class PodAffinity(Model):
    """Demands and wishes to be near other pods."""

    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] | None = field(
        1, "Pods that must be in the same topology domain.", list_type="atomic"
    )
    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] | None = field(
        2, "Pods better had in the same topology domain, by weight.", list_type="atomic"
    )


class PodAntiAffinity(Model):
    """Demands and wishes to be away from other pods."""

    requiredDuringSchedulingIgnoredDuringExecution: list[PodAffinityTerm] | None = field(
        1, "Pods that must not be in the same topology domain.", list_type="atomic"
    )
    preferredDuringSchedulingIgnoredDuringExecution: list[WeightedPodAffinityTerm] | None = field(
        2, "Pods better avoided in the same topology domain, by weight.", list_type="atomic"
    )


class Affinity(Model):
    """Where a pod wants to be, and near whom."""

    nodeAffinity: NodeAffinity | None = field(1, "Which nodes.")
    podAffinity: PodAffinity | None = field(2, "Near which pods.")
    podAntiAffinity: PodAntiAffinity | None = field(3, "Away from which pods.")


class TopologySpreadConstraint(Model):
    """Spreads pods evenly over zones, nodes or other places."""

    maxSkew: Int32 = field(1, "How much fuller a place may be than the emptiest one.", required=True, always=True)
    topologyKey: str = field(2, "Nodes with equal values of this label are one place.", required=True, always=True)
    whenUnsatisfiable: str = field(
        3,
        "Whether the pod waits (DoNotSchedule) or only prefers (ScheduleAnyway).",
        required=True,
        always=True,
        enum=("DoNotSchedule", "ScheduleAnyway"),
        go="v1.UnsatisfiableConstraintAction",
    )
    labelSelector: LabelSelector | None = field(4, "Which pods are counted.")
    minDomains: Int32 | None = field(5, "With fewer places than this, the emptiest counts as empty.", pointer=True)
    nodeAffinityPolicy: str | None = field(
        6,
        "Whether nodes the pod cannot use are left out of the count.",
        pointer=True,
        enum=("Honor", "Ignore"),
        go="v1.NodeInclusionPolicy",
    )
    nodeTaintsPolicy: str | None = field(
        7,
        "Whether nodes whose taints the pod does not tolerate are left out of the count.",
        pointer=True,
        enum=("Honor", "Ignore"),
        go="v1.NodeInclusionPolicy",
    )
    matchLabelKeys: list[str] | None = field(
        8, "Labels whose values are taken from the new pod and must be equal in those counted.", list_type="atomic"
    )


class Toleration(Model):
    """Lets a pod on nodes with a matching taint."""

    key: str | None = field(1, "Taint key; empty with Exists fits every taint.")
    operator: str | None = field(
        2,
        "How the value is compared; Equal by default.",
        enum=("Equal", "Exists", "Gt", "Lt"),
        go="v1.TolerationOperator",
    )
    value: str | None = field(3, "The taint's value.")
    effect: str | None = field(
        4,
        "The taint's effect; empty fits all.",
        enum=("NoExecute", "NoSchedule", "PreferNoSchedule"),
        go="v1.TaintEffect",
    )
    tolerationSeconds: Int64 | None = field(
        5, "How long the pod may stay when a NoExecute taint appears; forever when absent.", pointer=True
    )


class Taint(Model):
    """Keeps pods without a matching toleration away from a node."""

    key: str = field(1, "The taint's name.", required=True, always=True)
    value: str | None = field(2, "The taint's value.")
    effect: str = field(
        3,
        "What happens to pods that do not tolerate it.",
        required=True,
        always=True,
        enum=("NoExecute", "NoSchedule", "PreferNoSchedule"),
        go="v1.TaintEffect",
    )
    timeAdded: Time | None = field(4, "When it was put there.", pointer=True)


class TopologySelectorLabelRequirement(Model):
    """One condition on where a volume is made."""

    key: str = field(1, "Label of nodes.", required=True, always=True)
    values: list[str] = field(
        2, "The values it may have; one of them is chosen.", required=True, always=True, list_type="atomic"
    )


class TopologySelectorTerm(Model):
    """Where volumes may be made, by the labels of nodes."""

    MAP_TYPE = "atomic"

    matchLabelExpressions: list[TopologySelectorLabelRequirement] | None = field(
        1, "The conditions; all must hold.", list_type="atomic"
    )
