"""PersistentVolume: storage of the cluster that a claim can be bound to."""

from typing import ClassVar

from sampan_api.fields import Model, Quantity, Time, field
from sampan_api.models.core_v1.persistent_backends import (
    AzureFilePersistentVolumeSource,
    CephFSPersistentVolumeSource,
    CinderPersistentVolumeSource,
    CSIPersistentVolumeSource,
    FlexPersistentVolumeSource,
    GlusterfsPersistentVolumeSource,
    ISCSIPersistentVolumeSource,
    LocalVolumeSource,
    RBDPersistentVolumeSource,
    ScaleIOPersistentVolumeSource,
    StorageOSPersistentVolumeSource,
)
from sampan_api.models.core_v1.placement import NodeSelector
from sampan_api.models.core_v1.references import ObjectReference
from sampan_api.models.core_v1.volume_backends import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    FCVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    NFSVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from sampan_api.models.core_v1.volumes import HostPathVolumeSource
from sampan_api.models.meta_v1 import ObjectModel


class PersistentVolumeSource(Model):
    """Where the storage lies; exactly one of these."""

    gcePersistentDisk: GCEPersistentDiskVolumeSource | None = field(1, "A Google disk.")
    awsElasticBlockStore: AWSElasticBlockStoreVolumeSource | None = field(2, "An Amazon disk.")
    hostPath: HostPathVolumeSource | None = field(
        3, "A directory of whichever node the pod is on; for trials with a single node."
    )
    glusterfs: GlusterfsPersistentVolumeSource | None = field(4, "A GlusterFS volume.")
    nfs: NFSVolumeSource | None = field(5, "A directory of an NFS server.")
    rbd: RBDPersistentVolumeSource | None = field(6, "A Ceph block device.")
    iscsi: ISCSIPersistentVolumeSource | None = field(7, "An iSCSI disk.")
    cinder: CinderPersistentVolumeSource | None = field(8, "An OpenStack disk.")
    cephfs: CephFSPersistentVolumeSource | None = field(9, "A CephFS directory.")
    fc: FCVolumeSource | None = field(10, "A Fibre Channel disk.")
    flocker: FlockerVolumeSource | None = field(11, "A Flocker dataset.")
    flexVolume: FlexPersistentVolumeSource | None = field(12, "A volume of a FlexVolume driver.")
    azureFile: AzureFilePersistentVolumeSource | None = field(13, "An Azure file share.")
    vsphereVolume: VsphereVirtualDiskVolumeSource | None = field(14, "A vSphere disk.")
    quobyte: QuobyteVolumeSource | None = field(15, "A Quobyte volume.")
    azureDisk: AzureDiskVolumeSource | None = field(16, "An Azure disk.")
    photonPersistentDisk: PhotonPersistentDiskVolumeSource | None = field(17, "A Photon disk.")
    portworxVolume: PortworxVolumeSource | None = field(18, "A Portworx volume.")
    scaleIO: ScaleIOPersistentVolumeSource | None = field(19, "A ScaleIO volume.")
    local: LocalVolumeSource | None = field(20, "A disk or directory of one node.")
    storageos: StorageOSPersistentVolumeSource | None = field(21, "A StorageOS volume.")
    csi: CSIPersistentVolumeSource | None = field(22, "A volume of a CSI driver.")


class VolumeNodeAffinity(Model):
    """From which nodes the storage can be reached."""

    required: NodeSelector | None = field(1, "Only from these nodes.")


class PersistentVolumeSpec(PersistentVolumeSource):
    """What storage this is."""

    EMBEDDED: ClassVar = {PersistentVolumeSource: 2}

    capacity: dict[str, Quantity] | None = field(1, "Its size, under `storage`.", go="v1.ResourceList")
    accessModes: list[str] | None = field(
        3,
        "How nodes and pods can share it.",
        list_type="atomic",
        enum=("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"),
        go="[]v1.PersistentVolumeAccessMode",
    )
    claimRef: ObjectReference | None = field(4, "The claim it is bound to, or kept for.", map_type="granular")
    persistentVolumeReclaimPolicy: str | None = field(
        5,
        "What becomes of it when its claim is deleted: Retain, Delete or Recycle (historic).",
        enum=("Delete", "Recycle", "Retain"),
        go="v1.PersistentVolumeReclaimPolicy",
    )
    storageClassName: str | None = field(6, "Class it belongs to; empty for none.")
    mountOptions: list[str] | None = field(7, "Options of the mount, such as `ro`; not checked.", list_type="atomic")
    volumeMode: str | None = field(
        8,
        "Filesystem or Block.",
        pointer=True,
        enum=("Block", "Filesystem"),
        go="v1.PersistentVolumeMode",
    )
    nodeAffinity: VolumeNodeAffinity | None = field(9, "From which nodes it can be reached.")
    volumeAttributesClassName: str | None = field(10, "Class of changeable attributes.", pointer=True)


class PersistentVolumeStatus(Model):
    """Whether it is in use."""

    phase: str | None = field(
        1,
        "Pending, Available, Bound, Released or Failed.",
        enum=("Available", "Bound", "Failed", "Pending", "Released"),
        go="v1.PersistentVolumePhase",
    )
    message: str | None = field(2, "A sentence for people: why it is in this phase.")
    reason: str | None = field(3, "One CamelCase word for programs: why it failed.")
    lastPhaseTransitionTime: Time | None = field(4, "When the phase last changed.", pointer=True)


class PersistentVolume(ObjectModel):
    """A piece of storage of the cluster."""

    API_VERSION = "v1"

    spec: PersistentVolumeSpec | None = field(2, "What it is.", always=True)
    status: PersistentVolumeStatus | None = field(3, "What was observed.", always=True)
