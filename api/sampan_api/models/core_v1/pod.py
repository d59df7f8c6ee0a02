"""Pod, and the template from which controllers make pods."""

from sampan_api.fields import Int32, Int64, Model, Quantity, field
from sampan_api.models.core_v1.container import Container, EphemeralContainer, ResourceRequirements
from sampan_api.models.core_v1.placement import Affinity, Toleration, TopologySpreadConstraint
from sampan_api.models.core_v1.pod_status import PodStatus
from sampan_api.models.core_v1.references import LocalObjectReference
from sampan_api.models.core_v1.security import PodSecurityContext
from sampan_api.models.core_v1.volumes import Volume
from sampan_api.models.meta_v1 import ObjectMeta, ObjectModel


class HostAlias(Model):
    """Extra line of the pod's /etc/hosts."""

    ip: str = field(1, "Address.", required=True, always=True)
    hostnames: list[str] | None = field(2, "Names for it.", list_type="atomic")


class PodDNSConfigOption(Model):
    """An option of /etc/resolv.conf."""

    name: str | None = field(1, "The option.")
    value: str | None = field(2, "Its value, if it has one.", pointer=True)


class PodDNSConfig(Model):
    """Lines for /etc/resolv.conf, added to those of the policy."""

    nameservers: list[str] | None = field(1, "Addresses of name servers.", list_type="atomic")
    searches: list[str] | None = field(2, "Domains to search.", list_type="atomic")
    options: list[PodDNSConfigOption] | None = field(3, "Resolver options.", list_type="atomic")


class PodOS(Model):
    """Operating system of the pod's containers."""

    name: str = field(1, "linux or windows.", required=True, always=True, go="v1.OSName")


class PodReadinessGate(Model):
    """A condition that must be True before the pod is ready."""

    conditionType: str = field(1, "Type of that condition.", required=True, always=True, go="v1.PodConditionType")


class PodSchedulingGate(Model):
    """Keeps the pod from being scheduled until it is removed."""

    name: str = field(1, "Name of the gate.", required=True, always=True)


class PodSchedulingGroup(Model):
    """Pods that are scheduled together."""

    podGroupName: str | None = field(1, "The pod group this pod is part of.", pointer=True)


class PodResourceClaim(Model):
    """Devices for the pod: a claim, or a template for one."""

    name: str = field(1, "Name containers use for it.", required=True, always=True)
    resourceClaimName: str | None = field(3, "An existing claim.", pointer=True)
    resourceClaimTemplateName: str | None = field(4, "Template of a claim made for the pod.", pointer=True)


class PodSpec(Model):
    """What a pod shall be."""

    volumes: list[Volume] | None = field(
        1,
        "Directories its containers may mount.",
        patch="merge,retainKeys",
        merge_key="name",
        list_type="map",
        map_keys=("name",),
    )
    initContainers: list[Container] | None = field(
        20,
        "Run one after the other before the containers start.",
        patch="merge",
        merge_key="name",
        list_type="map",
        map_keys=("name",),
    )
    containers: list[Container] = field(
        2,
        "The programs that make up the pod.",
        required=True,
        always=True,
        patch="merge",
        merge_key="name",
        list_type="map",
        map_keys=("name",),
    )
    ephemeralContainers: list[EphemeralContainer] | None = field(
        34,
        "Added to a running pod by their subresource only.",
        patch="merge",
        merge_key="name",
        list_type="map",
        map_keys=("name",),
    )
    restartPolicy: str | None = field(
        3, "Whether ended containers start again.", enum=("Always", "Never", "OnFailure"), go="v1.RestartPolicy"
    )
    terminationGracePeriodSeconds: Int64 | None = field(
        4, "Time between the request to stop and being killed.", pointer=True
    )
    activeDeadlineSeconds: Int64 | None = field(5, "Fail the pod when it has run longer.", pointer=True)
    dnsPolicy: str | None = field(
        6,
        "Where /etc/resolv.conf comes from.",
        enum=("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        go="v1.DNSPolicy",
    )
    nodeSelector: dict[str, str] | None = field(7, "Labels the node must have.", map_type="atomic")
    serviceAccountName: str | None = field(8, "Identity the pod acts with.")
    serviceAccount: str | None = field(9, "Old name of `serviceAccountName`, kept equal to it.")
    automountServiceAccountToken: bool | None = field(
        21, "False keeps the API token out of the containers.", pointer=True
    )
    nodeName: str | None = field(10, "The node; the scheduler sets it, and skips pods that have one.")
    hostNetwork: bool | None = field(11, "Use the node's network instead of one's own.")
    hostPID: bool | None = field(12, "Use the node's process namespace.")
    hostIPC: bool | None = field(13, "Use the node's IPC namespace.")
    shareProcessNamespace: bool | None = field(27, "Containers see each other's processes.", pointer=True)
    securityContext: PodSecurityContext | None = field(14, "Security settings of all containers.")
    imagePullSecrets: list[LocalObjectReference] | None = field(
        15, "Secrets with registry credentials.", patch="merge", merge_key="name", list_type="map", map_keys=("name",)
    )
    hostname: str | None = field(16, "Name the pod has for itself; its own by default.")
    subdomain: str | None = field(17, "Makes the full name `hostname.subdomain.namespace.svc.cluster`.")
    affinity: Affinity | None = field(18, "Where it wants to be, and near whom.")
    schedulerName: str | None = field(19, "Which scheduler places it.")
    tolerations: list[Toleration] | None = field(22, "Taints it may live with.", list_type="atomic")
    hostAliases: list[HostAlias] | None = field(
        23, "Extra lines of /etc/hosts.", patch="merge", merge_key="ip", list_type="map", map_keys=("ip",)
    )
    priorityClassName: str | None = field(24, "Class that sets the priority.")
    priority: Int32 | None = field(25, "Higher goes first, and may displace lower; set from the class.", pointer=True)
    dnsConfig: PodDNSConfig | None = field(26, "Lines for /etc/resolv.conf.")
    readinessGates: list[PodReadinessGate] | None = field(
        28, "Further conditions that must be True before it is ready.", list_type="atomic"
    )
    runtimeClassName: str | None = field(29, "How its containers are run.", pointer=True)
    enableServiceLinks: bool | None = field(30, "Tell containers of services by environment variables.", pointer=True)
    preemptionPolicy: str | None = field(
        31,
        "Whether it may displace pods of lower priority.",
        pointer=True,
        enum=("Never", "PreemptLowerPriority"),
        go="v1.PreemptionPolicy",
    )
    overhead: dict[str, Quantity] | None = field(
        32, "What running it costs beside its containers.", go="v1.ResourceList"
    )
    topologySpreadConstraints: list[TopologySpreadConstraint] | None = field(
        33,
        "How it is spread among its like.",
        patch="merge",
        merge_key="topologyKey",
        list_type="map",
        map_keys=("topologyKey", "whenUnsatisfiable"),
    )
    setHostnameAsFQDN: bool | None = field(35, "The host name is the full name.", pointer=True)
    os: PodOS | None = field(36, "Operating system of the containers.")
    hostUsers: bool | None = field(37, "False gives the pod a user namespace of its own.", pointer=True)
    schedulingGates: list[PodSchedulingGate] | None = field(
        38,
        "While any is left, it is not scheduled.",
        patch="merge",
        merge_key="name",
        list_type="map",
        map_keys=("name",),
    )
    resourceClaims: list[PodResourceClaim] | None = field(
        39,
        "Devices its containers may use.",
        patch="merge,retainKeys",
        merge_key="name",
        list_type="map",
        map_keys=("name",),
    )
    resources: ResourceRequirements | None = field(40, "What all containers together need and may take.")
    hostnameOverride: str | None = field(41, "The host name exactly as given here.", pointer=True)
    schedulingGroup: PodSchedulingGroup | None = field(43, "Pods it is scheduled together with.")


class Pod(ObjectModel):
    """Containers that share a node, a network and volumes, and live and die together."""

    API_VERSION = "v1"

    spec: PodSpec | None = field(2, "What is wanted.", always=True)
    status: PodStatus | None = field(3, "What was observed.", always=True)


class PodTemplateSpec(Model):
    """The pods a controller makes."""

    metadata: ObjectMeta | None = field(1, "Name, labels and the rest that all objects share.", always=True)
    spec: PodSpec | None = field(2, "The pods' spec.", always=True)
