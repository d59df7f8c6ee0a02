"""Volumes of particular storage systems. Sampan stores and checks them; no node mounts them."""

from sampan_api.fields import Int32, Model, field
from sampan_api.models.core_v1.references import LocalObjectReference

READ_ONLY = "Mount it so that nobody can write to it."
FS_TYPE = "Filesystem to mount, e.g. `ext4`; left out, the driver chooses."


class AWSElasticBlockStoreVolumeSource(Model):
    """An AWS disk (historic; needs a CSI driver today)."""

    volumeID: str = field(1, "Id of the disk.", required=True, always=True)
    fsType: str | None = field(2, FS_TYPE)
    partition: Int32 | None = field(3, "Partition to mount; 0 or left out means the whole disk.")
    readOnly: bool | None = field(4, READ_ONLY)


class AzureDiskVolumeSource(Model):
    """An Azure disk (historic; needs a CSI driver today)."""

    diskName: str = field(1, "Name of the disk.", required=True, always=True)
    diskURI: str = field(2, "Where the disk is.", required=True, always=True)
    cachingMode: str | None = field(
        3,
        "None, ReadOnly or ReadWrite.",
        pointer=True,
        enum=("None", "ReadOnly", "ReadWrite"),
        default="ReadWrite",
        go="v1.AzureDataDiskCachingMode",
    )
    fsType: str | None = field(4, FS_TYPE, pointer=True, default="ext4")
    readOnly: bool | None = field(5, READ_ONLY, pointer=True)
    kind: str | None = field(
        6,
        "Shared, Dedicated or Managed.",
        pointer=True,
        enum=("Dedicated", "Managed", "Shared"),
        default="Shared",
        go="v1.AzureDataDiskKind",
    )


class AzureFileVolumeSource(Model):
    """An Azure file share (historic; needs a CSI driver today)."""

    secretName: str = field(1, "Secret with account name and key.", required=True, always=True)
    shareName: str = field(2, "Name of the share.", required=True, always=True)
    readOnly: bool | None = field(3, READ_ONLY)


class CephFSVolumeSource(Model):
    """A CephFS directory (historic)."""

    monitors: list[str] = field(1, "Addresses of the monitors.", required=True, always=True, list_type="atomic")
    path: str | None = field(2, "Directory to mount; `/` by default.")
    user: str | None = field(3, "Ceph user.")
    secretFile: str | None = field(4, "Keyring file on the node.")
    secretRef: LocalObjectReference | None = field(5, "Secret with the key; wins over the file.")
    readOnly: bool | None = field(6, READ_ONLY)


class CinderVolumeSource(Model):
    """An OpenStack disk (historic; needs a CSI driver today)."""

    volumeID: str = field(1, "Id of the disk.", required=True, always=True)
    fsType: str | None = field(2, FS_TYPE)
    readOnly: bool | None = field(3, READ_ONLY)
    secretRef: LocalObjectReference | None = field(4, "Secret with the cloud's parameters.")


class CSIVolumeSource(Model):
    """A CSI driver, and what it is told when it makes the volume."""

    driver: str = field(1, "Name of the driver.", required=True, always=True)
    readOnly: bool | None = field(2, READ_ONLY, pointer=True)
    fsType: str | None = field(3, FS_TYPE, pointer=True)
    volumeAttributes: dict[str, str] | None = field(4, "Parameters for the driver.")
    nodePublishSecretRef: LocalObjectReference | None = field(5, "Secret handed to the driver.")


class FCVolumeSource(Model):
    """A Fibre Channel target and a logical unit of it, or a world wide identifier."""

    targetWWNs: list[str] | None = field(1, "World wide names of the targets.", list_type="atomic")
    lun: Int32 | None = field(2, "Number of the logical unit.", pointer=True)
    fsType: str | None = field(3, FS_TYPE)
    readOnly: bool | None = field(4, READ_ONLY)
    wwids: list[str] | None = field(5, "World wide identifiers, instead of names and number.", list_type="atomic")


class FlexVolumeSource(Model):
    """A volume of a FlexVolume driver (historic)."""

    driver: str = field(1, "Name of the driver.", required=True, always=True)
    fsType: str | None = field(2, FS_TYPE)
    secretRef: LocalObjectReference | None = field(3, "Secret handed to the driver.")
    readOnly: bool | None = field(4, READ_ONLY)
    options: dict[str, str] | None = field(5, "Parameters for the driver.")


class FlockerVolumeSource(Model):
    """A Flocker dataset (historic)."""

    datasetName: str | None = field(1, "Name of the dataset.")
    datasetUUID: str | None = field(2, "UUID of the dataset.")


class GCEPersistentDiskVolumeSource(Model):
    """A Google disk (historic; needs a CSI driver today)."""

    pdName: str = field(1, "Name of the disk.", required=True, always=True)
    fsType: str | None = field(2, FS_TYPE)
    partition: Int32 | None = field(3, "Partition to mount; 0 or left out means the whole disk.")
    readOnly: bool | None = field(4, READ_ONLY)


class GitRepoVolumeSource(Model):
    """A clone of a git repository (historic)."""

    repository: str = field(1, "URL to clone.", required=True, always=True)
    revision: str | None = field(2, "Commit to check out.")
    directory: str | None = field(3, "Where in the volume.")


class GlusterfsVolumeSource(Model):
    """A GlusterFS volume (historic)."""

    endpoints: str = field(1, "Endpoints object with the servers.", required=True, always=True)
    path: str = field(2, "Name of the volume.", required=True, always=True)
    readOnly: bool | None = field(3, READ_ONLY)


class ISCSIVolumeSource(Model):
    """An iSCSI target and a logical unit of it."""

    targetPortal: str = field(1, "Address of the target.", required=True, always=True)
    iqn: str = field(2, "Qualified name of the target.", required=True, always=True)
    lun: Int32 = field(3, "Number of the logical unit.", required=True, always=True)
    iscsiInterface: str | None = field(4, "Interface to use; `default` unless set.", default="default")
    fsType: str | None = field(5, FS_TYPE)
    readOnly: bool | None = field(6, READ_ONLY)
    portals: list[str] | None = field(7, "Further addresses of the target.", list_type="atomic")
    chapAuthDiscovery: bool | None = field(8, "Authenticate discovery by CHAP.")
    chapAuthSession: bool | None = field(11, "Authenticate the session by CHAP.")
    secretRef: LocalObjectReference | None = field(10, "Secret with the CHAP credentials.")
    initiatorName: str | None = field(12, "Name of the initiator, instead of the node's.", pointer=True)


class NFSVolumeSource(Model):
    """An NFS server and a directory that it exports."""

    server: str = field(1, "Name or address of the server.", required=True, always=True)
    path: str = field(2, "Exported directory.", required=True, always=True)
    readOnly: bool | None = field(3, READ_ONLY)


class PhotonPersistentDiskVolumeSource(Model):
    """A Photon disk (historic)."""

    pdID: str = field(1, "Id of the disk.", required=True, always=True)
    fsType: str | None = field(2, FS_TYPE)


class PortworxVolumeSource(Model):
    """A Portworx volume (historic; needs a CSI driver today)."""

    volumeID: str = field(1, "Id of the volume.", required=True, always=True)
    fsType: str | None = field(2, FS_TYPE)
    readOnly: bool | None = field(3, READ_ONLY)


class QuobyteVolumeSource(Model):
    """A Quobyte volume (historic)."""

    registry: str = field(1, "Addresses of the registry.", required=True, always=True)
    volume: str = field(2, "Name of the volume.", required=True, always=True)
    readOnly: bool | None = field(3, READ_ONLY)
    user: str | None = field(4, "User the files belong to.")
    group: str | None = field(5, "Group the files belong to.")
    tenant: str | None = field(6, "Tenant that owns the volume.")


class RBDVolumeSource(Model):
    """A Ceph block device (historic)."""

    monitors: list[str] = field(1, "Addresses of the monitors.", required=True, always=True, list_type="atomic")
    image: str = field(2, "Name of the device image.", required=True, always=True)
    fsType: str | None = field(3, FS_TYPE)
    pool: str | None = field(4, "Pool of the image; `rbd` by default.", default="rbd")
    user: str | None = field(5, "Ceph user; `admin` by default.", default="admin")
    keyring: str | None = field(6, "Keyring file on the node.", default="/etc/ceph/keyring")
    secretRef: LocalObjectReference | None = field(7, "Secret with the key; wins over the keyring.")
    readOnly: bool | None = field(8, READ_ONLY)


class ScaleIOVolumeSource(Model):
    """A ScaleIO volume (historic)."""

    gateway: str = field(1, "Address of the gateway.", required=True, always=True)
    system: str = field(2, "Name of the storage system.", required=True, always=True)
    secretRef: LocalObjectReference = field(3, "Secret with the login.", required=True)
    sslEnabled: bool | None = field(4, "Talk to the gateway over TLS.")
    protectionDomain: str | None = field(5, "Protection domain of the storage.")
    storagePool: str | None = field(6, "Pool of the storage.")
    storageMode: str | None = field(7, "Thick or thin.", default="ThinProvisioned")
    volumeName: str | None = field(8, "Name of the volume.")
    fsType: str | None = field(9, FS_TYPE, default="xfs")
    readOnly: bool | None = field(10, READ_ONLY)


class StorageOSVolumeSource(Model):
    """A StorageOS volume (historic)."""

    volumeName: str | None = field(1, "Name of the volume.")
    volumeNamespace: str | None = field(2, "Its namespace there.")
    fsType: str | None = field(3, FS_TYPE)
    readOnly: bool | None = field(4, READ_ONLY)
    secretRef: LocalObjectReference | None = field(5, "Secret with the credentials.")


class VsphereVirtualDiskVolumeSource(Model):
    """A vSphere disk (historic; needs a CSI driver today)."""

    volumePath: str = field(1, "Path of the disk.", required=True, always=True)
    fsType: str | None = field(2, FS_TYPE)
    storagePolicyName: str | None = field(3, "Name of the storage policy.")
    storagePolicyID: str | None = field(4, "Id of the storage policy.")
