"""Claims on persistent storage, as far as a pod can hold them."""

from sampan_api.fields import Model, Quantity, field
from sampan_api.models.core_v1.references import TypedLocalObjectReference, TypedObjectReference
from sampan_api.models.meta_v1 import LabelSelector, ObjectMeta


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
    """The volume of a claim."""

    claimName: str = field(1, "Claim in the pod's namespace.", required=True, always=True)
    readOnly: bool | None = field(2, "Mount it so that nobody can write to it.")
