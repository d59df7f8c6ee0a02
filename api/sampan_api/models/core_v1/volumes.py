"""Volumes of a pod."""

from typing import ClassVar

from sampan_api.fields import Int32, Int64, Model, Quantity, field
from sampan_api.models.core_v1.claims import EphemeralVolumeSource, PersistentVolumeClaimVolumeSource
from sampan_api.models.core_v1.environment import ObjectFieldSelector, ResourceFieldSelector
from sampan_api.models.core_v1.references import LocalObjectReference
from sampan_api.models.core_v1.volume_backends import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    AzureFileVolumeSource,
    CephFSVolumeSource,
    CinderVolumeSource,
    CSIVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    GlusterfsVolumeSource,
    ISCSIVolumeSource,
    NFSVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
    StorageOSVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from sampan_api.models.meta_v1 import LabelSelector


class KeyToPath(Model):
    """Puts one key into one file."""

    key: str = field(1, "The key.", required=True, always=True)
    path: str = field(2, "The file, relative to the volume.", required=True, always=True)
    mode: Int32 | None = field(3, "Permission bits of this one file; the volume's default otherwise.", pointer=True)


class EmptyDirVolumeSource(Model):
    """An empty directory that lives as long as the pod."""

    medium: str | None = field(1, "`` for the node's disk, `Memory` for tmpfs.", go="v1.StorageMedium")
    sizeLimit: Quantity | None = field(2, "How much may be stored in it.", pointer=True)


class HostPathVolumeSource(Model):
    """A path on the node, and what must be there."""

    path: str = field(1, "Where on the node.", required=True, always=True)
    type: str | None = field(
        2,
        "What must be there, or is made when missing.",
        pointer=True,
        enum=("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"),
        go="v1.HostPathType",
    )


class ImageVolumeSource(Model):
    """The content of an image, mounted read-only."""

    reference: str | None = field(1, "The image.")
    pullPolicy: str | None = field(
        2, "When it is fetched.", enum=("Always", "IfNotPresent", "Never"), go="v1.PullPolicy"
    )


class ConfigMapVolumeSource(LocalObjectReference):
    """A ConfigMap by name, which of its keys, and the mode of the files."""

    MAP_TYPE = ""
    EMBEDDED: ClassVar = {LocalObjectReference: 1}

    items: list[KeyToPath] | None = field(
        2, "Which keys, and into which files; all by their own name by default.", list_type="atomic"
    )
    defaultMode: Int32 | None = field(
        3, "Permission bits of files that set none themselves; decimal in JSON.", pointer=True
    )
    optional: bool | None = field(4, "Go on without it when it does not exist.", pointer=True)


class SecretVolumeSource(Model):
    """A Secret as files in memory."""

    secretName: str | None = field(1, "Name of the Secret.")
    items: list[KeyToPath] | None = field(
        2, "Which keys, and into which files; all by their own name by default.", list_type="atomic"
    )
    defaultMode: Int32 | None = field(
        3, "Permission bits of files that set none themselves; decimal in JSON.", pointer=True
    )
    optional: bool | None = field(4, "Go on without it when it does not exist.", pointer=True)


class DownwardAPIVolumeFile(Model):
    """A file with facts about the pod."""

    path: str = field(1, "The file, relative to the volume.", required=True, always=True)
    fieldRef: ObjectFieldSelector | None = field(2, "A field of the pod.")
    resourceFieldRef: ResourceFieldSelector | None = field(3, "A request or limit of a container.")
    mode: Int32 | None = field(4, "Permission bits of this one file; the volume's default otherwise.", pointer=True)


class DownwardAPIVolumeSource(Model):
    """Files, each with one fact about the pod."""

    items: list[DownwardAPIVolumeFile] | None = field(1, "The files.", list_type="atomic")
    defaultMode: Int32 | None = field(
        2, "Permission bits of files that set none themselves; decimal in JSON.", pointer=True
    )


class ConfigMapProjection(LocalObjectReference):
    """A ConfigMap among the sources of a projected volume."""

    MAP_TYPE = ""
    EMBEDDED: ClassVar = {LocalObjectReference: 1}

    items: list[KeyToPath] | None = field(
        2, "Which keys, and into which files; all by their own name by default.", list_type="atomic"
    )
    optional: bool | None = field(4, "Go on without it when it does not exist.", pointer=True)


class SecretProjection(LocalObjectReference):
    """A Secret among the sources of a projected volume."""

    MAP_TYPE = ""
    EMBEDDED: ClassVar = {LocalObjectReference: 1}

    items: list[KeyToPath] | None = field(
        2, "Which keys, and into which files; all by their own name by default.", list_type="atomic"
    )
    optional: bool | None = field(4, "Go on without it when it does not exist.", pointer=True)


class DownwardAPIProjection(Model):
    """Facts about the pod among the sources of a projected volume."""

    items: list[DownwardAPIVolumeFile] | None = field(1, "The files.", list_type="atomic")


class ServiceAccountTokenProjection(Model):
    """A token of the pod's service account, renewed before it ends."""

    audience: str | None = field(1, "Whom the token is for; the API server by default.")
    expirationSeconds: Int64 | None = field(2, "How long it is valid; an hour by default.", pointer=True)
    path: str = field(3, "The file, relative to the volume.", required=True, always=True)


class ClusterTrustBundleProjection(Model):
    """Trust anchors of the cluster as one PEM file."""

    name: str | None = field(1, "One bundle by name.", pointer=True)
    signerName: str | None = field(2, "All bundles of a signer.", pointer=True)
    labelSelector: LabelSelector | None = field(3, "Which of the signer's bundles.")
    optional: bool | None = field(5, "Go on without it when it does not exist.", pointer=True)
    path: str = field(4, "The file, relative to the volume.", required=True, always=True)


class PodCertificateProjection(Model):
    """A key and certificate made for this pod."""

    signerName: str = field(1, "Who signs.", required=True)
    keyType: str = field(2, "Kind of key to make.", required=True)
    maxExpirationSeconds: Int32 | None = field(3, "The longest life to ask for.", pointer=True)
    credentialBundlePath: str | None = field(4, "File for key and chain together.")
    keyPath: str | None = field(5, "File for the key.")
    certificateChainPath: str | None = field(6, "File for the chain.")
    userAnnotations: dict[str, str] | None = field(7, "Passed to the signer.")


class VolumeProjection(Model):
    """One source of a projected volume; exactly one is set."""

    secret: SecretProjection | None = field(1, "A Secret.")
    downwardAPI: DownwardAPIProjection | None = field(2, "Facts about the pod.")
    configMap: ConfigMapProjection | None = field(3, "A ConfigMap.")
    serviceAccountToken: ServiceAccountTokenProjection | None = field(4, "A token of the pod's service account.")
    clusterTrustBundle: ClusterTrustBundleProjection | None = field(5, "Trust anchors.")
    podCertificate: PodCertificateProjection | None = field(6, "A key and certificate.")


class ProjectedVolumeSource(Model):
    """Sources that share a directory, and the mode of their files."""

    sources: list[VolumeProjection] | None = field(1, "What is in it.", always=True, list_type="atomic")
    defaultMode: Int32 | None = field(
        2, "Permission bits of files that set none themselves; decimal in JSON.", pointer=True
    )


class VolumeSource(Model):
    """What a volume is made of; exactly one is set."""

    hostPath: HostPathVolumeSource | None = field(1, "A file or directory of the node.")
    emptyDir: EmptyDirVolumeSource | None = field(2, "An empty directory for the life of the pod.")
    gcePersistentDisk: GCEPersistentDiskVolumeSource | None = field(3, "A Google disk.")
    awsElasticBlockStore: AWSElasticBlockStoreVolumeSource | None = field(4, "An AWS disk.")
    gitRepo: GitRepoVolumeSource | None = field(5, "A clone of a git repository.")
    secret: SecretVolumeSource | None = field(6, "A Secret as files.")
    nfs: NFSVolumeSource | None = field(7, "A directory of an NFS server.")
    iscsi: ISCSIVolumeSource | None = field(8, "An iSCSI disk.")
    glusterfs: GlusterfsVolumeSource | None = field(9, "A GlusterFS volume.")
    persistentVolumeClaim: PersistentVolumeClaimVolumeSource | None = field(10, "The volume of a claim.")
    rbd: RBDVolumeSource | None = field(11, "A Ceph block device.")
    flexVolume: FlexVolumeSource | None = field(12, "A volume of a FlexVolume driver.")
    cinder: CinderVolumeSource | None = field(13, "An OpenStack disk.")
    cephfs: CephFSVolumeSource | None = field(14, "A CephFS directory.")
    flocker: FlockerVolumeSource | None = field(15, "A Flocker dataset.")
    downwardAPI: DownwardAPIVolumeSource | None = field(16, "Facts about the pod as files.")
    fc: FCVolumeSource | None = field(17, "A Fibre Channel disk.")
    azureFile: AzureFileVolumeSource | None = field(18, "An Azure file share.")
    configMap: ConfigMapVolumeSource | None = field(19, "A ConfigMap as files.")
    vsphereVolume: VsphereVirtualDiskVolumeSource | None = field(20, "A vSphere disk.")
    quobyte: QuobyteVolumeSource | None = field(21, "A Quobyte volume.")
    azureDisk: AzureDiskVolumeSource | None = field(22, "An Azure disk.")
    photonPersistentDisk: PhotonPersistentDiskVolumeSource | None = field(23, "A Photon disk.")
    projected: ProjectedVolumeSource | None = field(26, "Several sources in one directory.")
    portworxVolume: PortworxVolumeSource | None = field(24, "A Portworx volume.")
    scaleIO: ScaleIOVolumeSource | None = field(25, "A ScaleIO volume.")
    storageos: StorageOSVolumeSource | None = field(27, "A StorageOS volume.")
    csi: CSIVolumeSource | None = field(28, "A volume that a CSI driver makes for this pod.")
    ephemeral: EphemeralVolumeSource | None = field(29, "A claim made for this pod.")
    image: ImageVolumeSource | None = field(30, "The content of an image.")


class Volume(VolumeSource):
    """A directory that containers of a pod may mount."""

    EMBEDDED: ClassVar = {VolumeSource: 2}

    name: str = field(1, "Unique within the pod; a DNS label.", required=True, always=True)
