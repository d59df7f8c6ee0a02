"""Claims on persistent storage, and how a pod holds one."""

from sampan_api.fields import Model, Quantity, Time, field
from sampan_api.models.core_v1.references import TypedLocalObjectReference, TypedObjectReference
from sampan_api.models.meta_v1 import LabelSelector, ObjectMeta, ObjectModel


class VolumeResourceRequirements(Model):
    """How much storage is needed."""

    limits: dict[str, Quantity] | None = field(1, "The most that may be used.", go="v1.ResourceList")
    requests: dict[str, Quantity] | None = field(2, "The least that is needed.", go="v1.ResourceList")


class PersistentVolumeClaimSpec(Model):
    """What storage is asked for."""

    accessModes: list[str] | None = field(
        1,
        "How nodes and pods share it.",
        list_type="atomic",
        enum=("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"),
        go="[]v1.PersistentVolumeAccessMode",
    )
    selector: LabelSelector | None = field(4, "Which volumes may be bound, by labels.")
    resources: VolumeResourceRequirements | None = field(2, "How much storage.", always=True)
    volumeName: str | None = field(3, "The volume that is bound.")
    storageClassName: str | None = field(5, "Class that makes the volume.", pointer=True)
    volumeMode: str | None = field(
        6, "Filesystem or Block.", pointer=True, enum=("Block", "Filesystem"), go="v1.PersistentVolumeMode"
    )
    dataSource: TypedLocalObjectReference | None = field(7, "What the volume starts with: a snapshot or a claim.")
    dataSourceRef: TypedObjectReference | None = field(8, "Like `dataSource`, for any kind, in any namespace.")
    volumeAttributesClassName: str | None = field(9, "Class of changeable attributes.", pointer=True)


class PersistentVolumeClaimTemplate(Model):
    """A claim to be made for a pod."""

    metadata: ObjectMeta | None = field(1, "Name, labels and the rest that all objects share.", always=True)
    spec: PersistentVolumeClaimSpec = field(2, "The claim's spec.", required=True, always=True)


class EphemeralVolumeSource(Model):
    """A claim made for this pod and deleted with it."""

    volumeClaimTemplate: PersistentVolumeClaimTemplate | None = field(1, "The claim to make.")


class PersistentVolumeClaimVolumeSource(Model):
    """A claim of the same namespace, by name."""

    claimName: str = field(1, "Claim in the pod's namespace.", required=True, always=True)
    readOnly: bool | None = field(2, "Mount it so that nobody can write to it.")


class PersistentVolumeClaimCondition(Model):
    """One observation about a claim."""

    type: str = field(
        1, "Which observation: Resizing, …", required=True, always=True, go="v1.PersistentVolumeClaimConditionType"
    )
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    lastProbeTime: Time | None = field(3, "When it was last looked at.", always=True)
    lastTransitionTime: Time | None = field(4, "When `status` last changed from one value to another.", always=True)
    reason: str | None = field(5, "One CamelCase word for programs: why it is so.")
    message: str | None = field(6, "A sentence for people.")


class ModifyVolumeStatus(Model):
    """A change of the volume's attributes that is under way."""

    targetVolumeAttributesClassName: str | None = field(1, "The class it shall have.")
    status: str = field(
        2,
        "Pending, InProgress or Infeasible.",
        required=True,
        always=True,
        enum=("InProgress", "Infeasible", "Pending"),
        go="v1.PersistentVolumeClaimModifyVolumeStatus",
    )


class PersistentVolumeClaimStatus(Model):
    """What the claim has got."""

    phase: str | None = field(
        1, "Pending, Bound or Lost.", enum=("Bound", "Lost", "Pending"), go="v1.PersistentVolumeClaimPhase"
    )
    accessModes: list[str] | None = field(
        2,
        "How nodes and pods can share the volume.",
        list_type="atomic",
        enum=("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"),
        go="[]v1.PersistentVolumeAccessMode",
    )
    capacity: dict[str, Quantity] | None = field(3, "Size of the volume.", go="v1.ResourceList")
    conditions: list[PersistentVolumeClaimCondition] | None = field(
        4, "Observations such as Resizing.", patch="merge", merge_key="type", list_type="map", map_keys=("type",)
    )
    allocatedResources: dict[str, Quantity] | None = field(
        5, "Size that is set aside for it, also while it is enlarged.", go="v1.ResourceList"
    )
    allocatedResourceStatuses: dict[str, str] | None = field(
        7,
        "How far each enlargement is.",
        map_type="granular",
        go="map[v1.ResourceName]v1.ClaimResourceStatus",
    )
    currentVolumeAttributesClassName: str | None = field(8, "The class of attributes in force.", pointer=True)
    modifyVolumeStatus: ModifyVolumeStatus | None = field(9, "The change of attributes under way.")


class PersistentVolumeClaim(ObjectModel):
    """A wish for storage, and the volume it was given."""

    API_VERSION = "v1"

    spec: PersistentVolumeClaimSpec | None = field(2, "What is wanted.", always=True)
    status: PersistentVolumeClaimStatus | None = field(3, "What was observed.", always=True)
