"""Where persistent volumes lie, as a PersistentVolume names it: secrets may be in another namespace than the claim."""

from sampan_api.fields import Int32, Model, field
from sampan_api.models.core_v1.references import ObjectReference, SecretReference


class AzureFilePersistentVolumeSource(Model):
    """An Azure file share (historic; needs a CSI driver today)."""

    secretName: str = field(1, "Secret with account name and key.", required=True, always=True)
    shareName: str = field(2, "Name of the share.", required=True, always=True)
    readOnly: bool | None = field(3, "Mount it so that nobody can write to it.")
    secretNamespace: str | None = field(4, "Namespace of the secret; the claim's by default.", pointer=True)


class CephFSPersistentVolumeSource(Model):
    """A CephFS directory (historic)."""

    monitors: list[str] = field(1, "Addresses of the monitors.", required=True, always=True, list_type="atomic")
    path: str | None = field(2, "Directory to mount; `/` by default.")
    user: str | None = field(3, "Ceph user.")
    secretFile: str | None = field(4, "Keyring file on the node.")
    secretRef: SecretReference | None = field(5, "Secret with the key; wins over the file.")
    readOnly: bool | None = field(6, "Mount it so that nobody can write to it.")


class CinderPersistentVolumeSource(Model):
    """An OpenStack disk (historic; needs a CSI driver today)."""

    volumeID: str = field(1, "Id of the disk.", required=True, always=True)
    fsType: str | None = field(2, "Filesystem to mount, e.g. `ext4`; left out, the driver chooses.")
    readOnly: bool | None = field(3, "Mount it so that nobody can write to it.")
    secretRef: SecretReference | None = field(4, "Secret with the cloud's parameters.")


class CSIPersistentVolumeSource(Model):
    """A volume of a CSI driver."""

    driver: str = field(1, "Name of the driver.", required=True, always=True)
    volumeHandle: str = field(2, "The driver's own name of the volume.", required=True, always=True)
    readOnly: bool | None = field(3, "Mount it so that nobody can write to it.")
    fsType: str | None = field(4, "Filesystem to mount, e.g. `ext4`; left out, the driver chooses.")
    volumeAttributes: dict[str, str] | None = field(5, "Parameters for the driver.")
    controllerPublishSecretRef: SecretReference | None = field(6, "Secret for attaching it to a node.")
    nodeStageSecretRef: SecretReference | None = field(7, "Secret for preparing it on a node.")
    nodePublishSecretRef: SecretReference | None = field(8, "Secret for mounting it into a pod.")
    controllerExpandSecretRef: SecretReference | None = field(9, "Secret for making it larger.")
    nodeExpandSecretRef: SecretReference | None = field(10, "Secret for making it larger on its node.")


class FlexPersistentVolumeSource(Model):
    """A volume of a FlexVolume driver (historic)."""

    driver: str = field(1, "Name of the driver.", required=True, always=True)
    fsType: str | None = field(2, "Filesystem to mount, e.g. `ext4`; left out, the driver chooses.")
    secretRef: SecretReference | None = field(3, "Secret handed to the driver.")
    readOnly: bool | None = field(4, "Mount it so that nobody can write to it.")
    options: dict[str, str] | None = field(5, "Parameters for the driver.")


class GlusterfsPersistentVolumeSource(Model):
    """A GlusterFS volume (historic)."""

    endpoints: str = field(1, "Endpoints object with the servers.", required=True, always=True)
    path: str = field(2, "Name of the volume.", required=True, always=True)
    readOnly: bool | None = field(3, "Mount it so that nobody can write to it.")
    endpointsNamespace: str | None = field(
        4, "Namespace of the Endpoints object; the claim's by default.", pointer=True
    )


class ISCSIPersistentVolumeSource(Model):
    """An iSCSI disk."""

    targetPortal: str = field(1, "Address of the target.", required=True, always=True)
    iqn: str = field(2, "Qualified name of the target.", required=True, always=True)
    lun: Int32 = field(3, "Number of the logical unit.", required=True, always=True)
    iscsiInterface: str | None = field(4, "Interface to use; `default` unless set.", default="default")
    fsType: str | None = field(5, "Filesystem to mount, e.g. `ext4`; left out, the driver chooses.")
    readOnly: bool | None = field(6, "Mount it so that nobody can write to it.")
    portals: list[str] | None = field(7, "Further addresses of the target.", list_type="atomic")
    chapAuthDiscovery: bool | None = field(8, "Authenticate discovery by CHAP.")
    chapAuthSession: bool | None = field(11, "Authenticate the session by CHAP.")
    secretRef: SecretReference | None = field(10, "Secret with the CHAP credentials.")
    initiatorName: str | None = field(12, "Name of the initiator, instead of the node's.", pointer=True)


class LocalVolumeSource(Model):
    """A disk or directory of one node; the volume's node affinity says which."""

    path: str = field(1, "Where on the node: a directory, or a block device.", required=True, always=True)
    fsType: str | None = field(
        2, "Filesystem of a block device, e.g. `ext4`; left out, what is found there.", pointer=True
    )


class RBDPersistentVolumeSource(Model):
    """A Ceph block device (historic)."""

    monitors: list[str] = field(1, "Addresses of the monitors.", required=True, always=True, list_type="atomic")
    image: str = field(2, "Name of the device image.", required=True, always=True)
    fsType: str | None = field(3, "Filesystem to mount, e.g. `ext4`; left out, the driver chooses.")
    pool: str | None = field(4, "Pool of the image; `rbd` by default.", default="rbd")
    user: str | None = field(5, "Ceph user; `admin` by default.", default="admin")
    keyring: str | None = field(6, "Keyring file on the node.", default="/etc/ceph/keyring")
    secretRef: SecretReference | None = field(7, "Secret with the key; wins over the keyring.")
    readOnly: bool | None = field(8, "Mount it so that nobody can write to it.")


class ScaleIOPersistentVolumeSource(Model):
    """A ScaleIO volume (historic)."""

    gateway: str = field(1, "Address of the gateway.", required=True, always=True)
    system: str = field(2, "Name of the storage system.", required=True, always=True)
    secretRef: SecretReference = field(3, "Secret with the login.", required=True)
    sslEnabled: bool | None = field(4, "Talk to the gateway over TLS.")
    protectionDomain: str | None = field(5, "Protection domain of the storage.")
    storagePool: str | None = field(6, "Pool of the storage.")
    storageMode: str | None = field(7, "Thick or thin.", default="ThinProvisioned")
    volumeName: str | None = field(8, "Name of the volume.")
    fsType: str | None = field(9, "Filesystem to mount, e.g. `ext4`; left out, the driver chooses.", default="xfs")
    readOnly: bool | None = field(10, "Mount it so that nobody can write to it.")


class StorageOSPersistentVolumeSource(Model):
    """A StorageOS volume (historic)."""

    volumeName: str | None = field(1, "Name of the volume.")
    volumeNamespace: str | None = field(2, "Its namespace there.")
    fsType: str | None = field(3, "Filesystem to mount, e.g. `ext4`; left out, the driver chooses.")
    readOnly: bool | None = field(4, "Mount it so that nobody can write to it.")
    secretRef: ObjectReference | None = field(5, "Secret with the credentials.")
