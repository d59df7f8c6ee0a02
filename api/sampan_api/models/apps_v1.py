"""apps/v1: what keeps pods running (Deployment, ReplicaSet, DaemonSet, StatefulSet), and the revisions it keeps."""

from sampan_api.fields import Int32, Int64, IntOrString, Model, Raw, Time, field
from sampan_api.models.core_v1.claims import PersistentVolumeClaim
from sampan_api.models.core_v1.pod import PodTemplateSpec
from sampan_api.models.meta_v1 import LabelSelector, ObjectModel, StatusCondition


class RollingUpdateDeployment(Model):
    """How far the number of pods may stray from what is wanted while they are replaced."""

    maxUnavailable: IntOrString | None = field(1, "Pods that may be missing; 25% by default.", pointer=True)
    maxSurge: IntOrString | None = field(2, "Pods there may be too many; 25% by default.", pointer=True)


class DeploymentStrategy(Model):
    """A way of replacing old pods by new ones, and its pace."""

    type: str | None = field(
        1,
        "RollingUpdate (the default) or Recreate, which ends all old pods first.",
        enum=("Recreate", "RollingUpdate"),
        go="v1.DeploymentStrategyType",
    )
    rollingUpdate: RollingUpdateDeployment | None = field(2, "Only with RollingUpdate: how fast.")


class DeploymentSpec(Model):
    """How many pods, which, and how they are replaced."""

    replicas: Int32 | None = field(1, "How many; 1 by default.", pointer=True)
    selector: LabelSelector = field(2, "Pods that count; fixed once created.", required=True)
    template: PodTemplateSpec = field(
        3, "How new pods are made; a change replaces all pods.", required=True, always=True
    )
    strategy: DeploymentStrategy | None = field(
        4, "How old pods are replaced by new ones.", always=True, patch="retainKeys"
    )
    minReadySeconds: Int32 | None = field(5, "Ready for this long counts as available.")
    revisionHistoryLimit: Int32 | None = field(
        6, "Old ReplicaSets that are kept to go back to; 10 by default.", pointer=True
    )
    paused: bool | None = field(7, "While true, a changed template replaces nothing.")
    progressDeadlineSeconds: Int32 | None = field(
        9, "Without progress for this long the rollout has failed; 600 by default.", pointer=True
    )


class DeploymentCondition(Model):
    """One observation about a Deployment."""

    type: str = field(1, "Which observation this is.", required=True, always=True, go="v1.DeploymentConditionType")
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    lastUpdateTime: Time | None = field(6, "When it was last written.", always=True)
    lastTransitionTime: Time | None = field(7, "When `status` last changed from one value to another.", always=True)
    reason: str | None = field(4, "One CamelCase word for programs: why it is so.")
    message: str | None = field(5, "A sentence for people.")


class DeploymentStatus(Model):
    """How many pods there are, old and new."""

    observedGeneration: Int64 | None = field(1, "Generation of the spec this was observed at.")
    replicas: Int32 | None = field(2, "Pods that exist, of any template.")
    updatedReplicas: Int32 | None = field(3, "Pods of the present template.")
    readyReplicas: Int32 | None = field(7, "Pods that are ready.")
    availableReplicas: Int32 | None = field(4, "Pods that have been ready long enough.")
    unavailableReplicas: Int32 | None = field(5, "Pods still wanted before all are available.")
    terminatingReplicas: Int32 | None = field(9, "Pods that are being deleted.", pointer=True)
    conditions: list[DeploymentCondition] | None = field(
        6,
        "Observations such as Available and Progressing.",
        patch="merge",
        merge_key="type",
        list_type="map",
        map_keys=("type",),
    )
    collisionCount: Int32 | None = field(8, "How often the name of a new ReplicaSet was taken already.", pointer=True)


class Deployment(ObjectModel):
    """Keeps equal pods running and replaces them step by step when their template changes."""

    API_VERSION = "apps/v1"

    spec: DeploymentSpec | None = field(2, "What is wanted.", always=True)
    status: DeploymentStatus | None = field(3, "What was observed.", always=True)


class ReplicaSetSpec(Model):
    """How many pods, and which."""

    replicas: Int32 | None = field(1, "How many; 1 by default.", pointer=True)
    minReadySeconds: Int32 | None = field(4, "Ready for this long counts as available.")
    selector: LabelSelector = field(2, "Pods that count; fixed once created.", required=True)
    template: PodTemplateSpec | None = field(3, "How new pods are made.", always=True)


class ReplicaSetCondition(StatusCondition):
    """One observation about a ReplicaSet."""

    type: str = field(1, "Which observation this is.", required=True, always=True, go="v1.ReplicaSetConditionType")


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


class ReplicaSet(ObjectModel):
    """Keeps a number of equal pods running."""

    API_VERSION = "apps/v1"

    spec: ReplicaSetSpec | None = field(2, "What is wanted.", always=True)
    status: ReplicaSetStatus | None = field(3, "What was observed.", always=True)


class RollingUpdateDaemonSet(Model):
    """How many nodes may be without their pod, or have two, while pods are replaced."""

    maxUnavailable: IntOrString | None = field(1, "Nodes that may be without; 1 by default.", pointer=True)
    maxSurge: IntOrString | None = field(2, "Nodes that may have an old and a new pod; 0 by default.", pointer=True)


class DaemonSetUpdateStrategy(Model):
    """A way of replacing the pods on the nodes, and its pace."""

    type: str | None = field(
        1,
        "RollingUpdate (the default), or OnDelete: when somebody deletes the old one.",
        enum=("OnDelete", "RollingUpdate"),
        go="v1.DaemonSetUpdateStrategyType",
    )
    rollingUpdate: RollingUpdateDaemonSet | None = field(2, "Only with RollingUpdate: how fast.")


class DaemonSetSpec(Model):
    """Which pods, and how they are replaced."""

    selector: LabelSelector = field(1, "Pods that count; fixed once created.", required=True)
    template: PodTemplateSpec = field(
        2, "How pods are made, one on each node that it fits.", required=True, always=True
    )
    updateStrategy: DaemonSetUpdateStrategy | None = field(3, "How old pods are replaced by new ones.", always=True)
    minReadySeconds: Int32 | None = field(4, "Ready for this long counts as available.")
    revisionHistoryLimit: Int32 | None = field(
        6, "Old revisions that are kept to go back to; 10 by default.", pointer=True
    )


class DaemonSetCondition(StatusCondition):
    """One observation about a DaemonSet."""

    type: str = field(1, "Which observation this is.", required=True, always=True, go="v1.DaemonSetConditionType")


class DaemonSetStatus(Model):
    """On how many nodes its pods are."""

    currentNumberScheduled: Int32 = field(1, "Nodes that should have a pod and have one.", required=True, always=True)
    numberMisscheduled: Int32 = field(2, "Nodes that have a pod and should not.", required=True, always=True)
    desiredNumberScheduled: Int32 = field(3, "Nodes that should have a pod.", required=True, always=True)
    numberReady: Int32 = field(4, "Nodes whose pod is ready.", required=True, always=True)
    observedGeneration: Int64 | None = field(5, "Generation of the spec this was observed at.")
    updatedNumberScheduled: Int32 | None = field(6, "Nodes whose pod is of the present template.")
    numberAvailable: Int32 | None = field(7, "Nodes whose pod has been ready long enough.")
    numberUnavailable: Int32 | None = field(8, "Nodes that should have an available pod and have none.")
    collisionCount: Int32 | None = field(9, "How often the name of a new revision was taken already.", pointer=True)
    conditions: list[DaemonSetCondition] | None = field(
        10, "Observations.", patch="merge", merge_key="type", list_type="map", map_keys=("type",)
    )


class DaemonSet(ObjectModel):
    """Keeps one pod running on every node that it fits."""

    API_VERSION = "apps/v1"

    spec: DaemonSetSpec | None = field(2, "What is wanted.", always=True)
    status: DaemonSetStatus | None = field(3, "What was observed.", always=True)


class RollingUpdateStatefulSetStrategy(Model):
    """Which pods are replaced, and how many at a time."""

    partition: Int32 | None = field(1, "Pods with a lower number keep the old template; 0 by default.", pointer=True)
    maxUnavailable: IntOrString | None = field(2, "Pods that may be missing; 1 by default.", pointer=True)


class StatefulSetUpdateStrategy(Model):
    """A way of replacing numbered pods, and its pace."""

    type: str | None = field(
        1,
        "RollingUpdate (the default), or OnDelete: when somebody deletes the old one.",
        enum=("OnDelete", "RollingUpdate"),
        go="v1.StatefulSetUpdateStrategyType",
    )
    rollingUpdate: RollingUpdateStatefulSetStrategy | None = field(2, "Only with RollingUpdate: how far and how fast.")


class StatefulSetPersistentVolumeClaimRetentionPolicy(Model):
    """What becomes of the claims that were made from templates."""

    whenDeleted: str | None = field(
        1,
        "When the set is deleted: Retain (the default) or Delete.",
        go="v1.PersistentVolumeClaimRetentionPolicyType",
    )
    whenScaled: str | None = field(
        2,
        "When the pod is scaled away: Retain (the default) or Delete.",
        go="v1.PersistentVolumeClaimRetentionPolicyType",
    )


class StatefulSetOrdinals(Model):
    """The numbers in the names of pods."""

    start: Int32 | None = field(1, "Number of the first pod; 0 by default.", always=True)


class StatefulSetSpec(Model):
    """How many pods, which, with what storage, and in which order."""

    replicas: Int32 | None = field(1, "How many; 1 by default.", pointer=True)
    selector: LabelSelector = field(2, "Pods that count; fixed once created.", required=True)
    template: PodTemplateSpec = field(
        3, "How pods are made; each gets a number behind its name.", required=True, always=True
    )
    volumeClaimTemplates: list[PersistentVolumeClaim] | None = field(
        4, "Claims made for each pod, which keep their volumes when it is replaced.", list_type="atomic"
    )
    serviceName: str | None = field(5, "Service under which the pods have their DNS names.", always=True)
    podManagementPolicy: str | None = field(
        6,
        "OrderedReady (the default) makes and ends pods one by one, Parallel all at once.",
        enum=("OrderedReady", "Parallel"),
        go="v1.PodManagementPolicyType",
    )
    updateStrategy: StatefulSetUpdateStrategy | None = field(7, "How old pods are replaced by new ones.", always=True)
    revisionHistoryLimit: Int32 | None = field(
        8, "Old revisions that are kept to go back to; 10 by default.", pointer=True
    )
    minReadySeconds: Int32 | None = field(9, "Ready for this long counts as available.")
    persistentVolumeClaimRetentionPolicy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = field(
        10, "What becomes of the claims."
    )
    ordinals: StatefulSetOrdinals | None = field(11, "How pods are numbered.")


class StatefulSetCondition(StatusCondition):
    """One observation about a StatefulSet."""

    type: str = field(1, "Which observation this is.", required=True, always=True, go="v1.StatefulSetConditionType")


class StatefulSetStatus(Model):
    """How many pods there are, old and new."""

    observedGeneration: Int64 | None = field(1, "Generation of the spec this was observed at.")
    replicas: Int32 = field(2, "Pods that exist.", required=True, always=True)
    readyReplicas: Int32 | None = field(3, "Pods that are ready.")
    currentReplicas: Int32 | None = field(4, "Pods of the revision that is being left.")
    updatedReplicas: Int32 | None = field(5, "Pods of the revision that is being reached.")
    currentRevision: str | None = field(6, "The revision that is being left.")
    updateRevision: str | None = field(7, "The revision that is being reached.")
    collisionCount: Int32 | None = field(9, "How often the name of a new revision was taken already.", pointer=True)
    conditions: list[StatefulSetCondition] | None = field(
        10, "Observations.", patch="merge", merge_key="type", list_type="map", map_keys=("type",)
    )
    availableReplicas: Int32 | None = field(11, "Pods that have been ready long enough.", always=True)


class StatefulSet(ObjectModel):
    """Keeps numbered pods running, each with a name and storage of its own."""

    API_VERSION = "apps/v1"

    spec: StatefulSetSpec | None = field(2, "What is wanted.", always=True)
    status: StatefulSetStatus | None = field(3, "What was observed.", always=True)


class ControllerRevision(ObjectModel):
    """A snapshot of a template, kept by its controller to go back to."""

    API_VERSION = "apps/v1"

    data: Raw | None = field(2, "The snapshot; fixed once created.", always=True)
    revision: Int64 = field(3, "Higher is newer.", required=True, always=True)
