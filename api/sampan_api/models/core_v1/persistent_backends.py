"""Where persistent volumes lie, as a PersistentVolume names it: as a pod does, but a secret may be in any namespace."""

from sampan_api.fields import Model, field
from sampan_api.models.core_v1.references import ObjectReference, SecretReference
from sampan_api.models.core_v1.volume_backends import (
    FS_TYPE,
    READ_ONLY,
    AzureFileVolumeSource,
    CephFSVolumeSource,
    CinderVolumeSource,
    FlexVolumeSource,
    GlusterfsVolumeSource,
    ISCSIVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
)


class AzureFilePersistentVolumeSource(AzureFileVolumeSource):
    """An Azure file share (historic; needs a CSI driver today)."""

    secretNamespace: str | None = field(4, "Namespace of the secret; the claim's by default.", pointer=True)


class CephFSPersistentVolumeSource(CephFSVolumeSource):
    """A CephFS directory (historic)."""

    secretRef: SecretReference | None = field(5, "Secret with the key; wins over the file.")


class CinderPersistentVolumeSource(CinderVolumeSource):
    """An OpenStack disk (historic; needs a CSI driver today)."""

    secretRef: SecretReference | None = field(4, "Secret with the cloud's parameters.")


class CSIPersistentVolumeSource(Model):
    """A CSI driver, its name for the volume, and the secrets that it needs."""

    driver: str = field(1, "Name of the driver.", required=True, always=True)
    volumeHandle: str = field(2, "The driver's own name of the volume.", required=True, always=True)
    readOnly: bool | None = field(3, READ_ONLY)
    fsType: str | None = field(4, FS_TYPE)
    volumeAttributes: dict[str, str] | None = field(5, "Parameters for the driver.")
    controllerPublishSecretRef: SecretReference | None = field(6, "Secret for attaching it to a node.")
    nodeStageSecretRef: SecretReference | None = field(7, "Secret for preparing it on a node.")
    nodePublishSecretRef: SecretReference | None = field(8, "Secret for mounting it into a pod.")
    controllerExpandSecretRef: SecretReference | None = field(9, "Secret for making it larger.")
    nodeExpandSecretRef: SecretReference | None = field(10, "Secret for making it larger on its node.")


class FlexPersistentVolumeSource(FlexVolumeSource):
    """A volume of a FlexVolume driver (historic)."""

    secretRef: SecretReference | None = field(3, "Secret handed to the driver.")


class GlusterfsPersistentVolumeSource(GlusterfsVolumeSource):
    """A GlusterFS volume (historic)."""

    endpointsNamespace: str | None = field(
        4, "Namespace of the Endpoints object; the claim's by default.", pointer=True
    )


class ISCSIPersistentVolumeSource(ISCSIVolumeSource):
    """An iSCSI target and a logical unit of it."""

    secretRef: SecretReference | None = field(10, "Secret with the CHAP credentials.")


class LocalVolumeSource(Model):
    """A disk or directory of one node; the volume's node affinity says which."""

    path: str = field(1, "Where on the node: a directory, or a block device.", required=True, always=True)
    fsType: str | None = field(
        2, "Filesystem of a block device, e.g. `ext4`; left out, what is found there.", pointer=True
    )


class RBDPersistentVolumeSource(RBDVolumeSource):
    """A Ceph block device (historic)."""

    secretRef: SecretReference | None = field(7, "Secret with the key; wins over the keyring.")


class ScaleIOPersistentVolumeSource(ScaleIOVolumeSource):
    """A ScaleIO volume (historic)."""

    secretRef: SecretReference = field(3, "Secret with the login.", required=True)


class StorageOSPersistentVolumeSource(Model):
    """A StorageOS volume (historic)."""

    volumeName: str | None = field(1, "Name of the volume.")
    volumeNamespace: str | None = field(2, "Its namespace there.")
    fsType: str | None = field(3, FS_TYPE)
    readOnly: bool | None = field(4, READ_ONLY)
    secretRef: ObjectReference | None = field(5, "Secret with the credentials.")
