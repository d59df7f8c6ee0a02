"""storage.k8s.io/v1: classes of storage, drivers and what they tell, attachments."""

from sampan_api.fields import Int32, Int64, Model, Quantity, Time, field
from sampan_api.models.core_v1.persistent_volume import PersistentVolumeSpec
from sampan_api.models.core_v1.placement import TopologySelectorTerm
from sampan_api.models.meta_v1 import LabelSelector, ObjectModel


class StorageClass(ObjectModel):
    """A kind of storage that claims can ask for by name."""

    API_VERSION = "storage.k8s.io/v1"

    provisioner: str = field(2, "Who makes volumes of this class.", required=True, always=True)
    parameters: dict[str, str] | None = field(3, "Parameters for the provisioner.")
    reclaimPolicy: str | None = field(
        4,
        "What becomes of its volumes when their claim is deleted; Delete by default.",
        pointer=True,
        enum=("Delete", "Recycle", "Retain"),
        go="v1.PersistentVolumeReclaimPolicy",
    )
    mountOptions: list[str] | None = field(5, "Mount options of its volumes; not checked.", list_type="atomic")
    allowVolumeExpansion: bool | None = field(6, "Claims may be enlarged.", pointer=True)
    volumeBindingMode: str | None = field(
        7,
        "Immediate, or WaitForFirstConsumer: when a pod needs it.",
        pointer=True,
        enum=("Immediate", "WaitForFirstConsumer"),
        go="v1.VolumeBindingMode",
    )
    allowedTopologies: list[TopologySelectorTerm] | None = field(
        8, "Where its volumes may be made.", list_type="atomic"
    )


class TokenRequest(Model):
    """A service account's token that a driver is given with each mount."""

    audience: str = field(1, "Whom it is for; empty for the API server.", required=True, always=True)
    expirationSeconds: Int64 | None = field(2, "How long it is good.", pointer=True)


class CSIDriverSpec(Model):
    """What a driver can and wants."""

    attachRequired: bool | None = field(1, "Volumes must be attached before they are mounted.", pointer=True)
    podInfoOnMount: bool | None = field(2, "The driver is told of the pod it mounts for.", pointer=True)
    volumeLifecycleModes: list[str] | None = field(
        3, "Kinds of volumes: Persistent, Ephemeral.", list_type="set", go="v1.VolumeLifecycleMode"
    )
    storageCapacity: bool | None = field(4, "CSIStorageCapacity objects say where there is room.", pointer=True)
    fsGroupPolicy: str | None = field(5, "When the group of files is changed.", pointer=True, go="v1.FSGroupPolicy")
    tokenRequests: list[TokenRequest] | None = field(6, "Tokens it is given.", list_type="atomic")
    requiresRepublish: bool | None = field(7, "Mounts are told anew from time to time.", pointer=True)
    seLinuxMount: bool | None = field(8, "It knows the mount option `context`.", pointer=True)
    nodeAllocatableUpdatePeriodSeconds: Int64 | None = field(
        9, "How often nodes tell how many volumes they can have.", pointer=True
    )
    serviceAccountTokenInSecrets: bool | None = field(10, "Tokens are given as secrets.", pointer=True)
    preventPodSchedulingIfMissing: bool | None = field(11, "Pods stay away from nodes without it.", pointer=True)


class CSIDriver(ObjectModel):
    """A storage driver that the cluster has."""

    API_VERSION = "storage.k8s.io/v1"

    spec: CSIDriverSpec = field(2, "What the driver can and wants.", required=True, always=True)


class VolumeNodeResources(Model):
    """How much a node can have of a driver."""

    count: Int32 | None = field(1, "The most volumes at a time.", pointer=True)


class CSINodeDriver(Model):
    """One driver on one node."""

    name: str = field(1, "The CSIDriver's name.", required=True, always=True)
    nodeID: str = field(2, "What the driver calls the node.", required=True, always=True)
    topologyKeys: list[str] | None = field(
        3, "Labels of the node that say where its volumes can be.", always=True, list_type="atomic"
    )
    allocatable: VolumeNodeResources | None = field(4, "How many volumes the node can have.")


class CSINodeSpec(Model):
    """The drivers of a node."""

    drivers: list[CSINodeDriver] = field(
        1,
        "The drivers that run there.",
        required=True,
        always=True,
        list_type="map",
        map_keys=("name",),
        patch="merge",
        merge_key="name",
    )


class CSINode(ObjectModel):
    """The storage drivers of the node of that name."""

    API_VERSION = "storage.k8s.io/v1"

    spec: CSINodeSpec = field(2, "The drivers.", required=True, always=True)


class CSIStorageCapacity(ObjectModel):
    """How much room there is for volumes of one class in one part of the cluster."""

    API_VERSION = "storage.k8s.io/v1"

    nodeTopology: LabelSelector | None = field(2, "The nodes that this is about.")
    storageClassName: str = field(3, "The class that this is about.", required=True, always=True)
    capacity: Quantity | None = field(4, "Room that is left.", pointer=True)
    maximumVolumeSize: Quantity | None = field(5, "The largest volume that can be made.", pointer=True)


class VolumeAttachmentSource(Model):
    """Which volume: one of the two."""

    persistentVolumeName: str | None = field(1, "A PersistentVolume.", pointer=True)
    inlineVolumeSpec: PersistentVolumeSpec | None = field(2, "A volume that no object describes.")


class VolumeAttachmentSpec(Model):
    """Which volume shall be attached where."""

    attacher: str = field(1, "Who does it.", required=True, always=True)
    source: VolumeAttachmentSource = field(2, "The volume.", required=True, always=True)
    nodeName: str = field(3, "The node.", required=True, always=True)


class VolumeError(Model):
    """What went wrong."""

    time: Time | None = field(1, "When.", always=True)
    message: str | None = field(2, "What.")
    errorCode: Int32 | None = field(3, "The driver's code.", pointer=True)


class VolumeAttachmentStatus(Model):
    """How far it is."""

    attached: bool = field(1, "It is attached.", required=True, always=True)
    attachmentMetadata: dict[str, str] | None = field(2, "What mounting needs to know.")
    attachError: VolumeError | None = field(3, "Why attaching failed last.")
    detachError: VolumeError | None = field(4, "Why detaching failed last.")


class VolumeAttachment(ObjectModel):
    """A wish to attach a volume to a node, or to detach it when it is deleted."""

    API_VERSION = "storage.k8s.io/v1"

    spec: VolumeAttachmentSpec = field(2, "What shall be.", required=True, always=True)
    status: VolumeAttachmentStatus | None = field(3, "What is.", always=True)
