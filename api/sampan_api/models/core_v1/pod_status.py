"""What the node reports of a pod."""

from sampan_api.fields import Int64, Model, Quantity, Time, field
from sampan_api.models.core_v1.container import ResourceRequirements
from sampan_api.models.core_v1.container_status import ContainerStatus


class HostIP(Model):
    """An address of the pod's node."""

    ip: str = field(1, "The address.", required=True, always=True)


class PodIP(Model):
    """An address of the pod."""

    ip: str = field(1, "The address.", required=True, always=True)


class PodCondition(Model):
    """One observation about a pod."""

    type: str = field(
        1,
        "Which observation: PodScheduled, Initialized, ContainersReady, Ready, …",
        required=True,
        always=True,
        go="v1.PodConditionType",
    )
    observedGeneration: Int64 | None = field(7, "Generation of the pod this was observed at.")
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    lastProbeTime: Time | None = field(3, "When it was last looked at.", always=True)
    lastTransitionTime: Time | None = field(4, "When `status` last changed from one value to another.", always=True)
    reason: str | None = field(5, "One CamelCase word for programs: why it is so.")
    message: str | None = field(6, "A sentence for people.")


class PodResourceClaimStatus(Model):
    """The claim made from a template."""

    name: str = field(1, "The entry of `spec.resourceClaims`.", required=True, always=True)
    resourceClaimName: str | None = field(2, "The claim made for it.", pointer=True)


class ContainerExtendedResourceRequest(Model):
    """Which request of the claim serves which container."""

    containerName: str = field(1, "The container.", required=True, always=True)
    resourceName: str = field(2, "The extended resource.", required=True, always=True)
    requestName: str = field(3, "The request in the claim.", required=True, always=True)


class PodExtendedResourceClaimStatus(Model):
    """The claim made for extended resources."""

    requestMappings: list[ContainerExtendedResourceRequest] = field(
        1, "Which request serves which container.", required=True, always=True, list_type="atomic"
    )
    resourceClaimName: str = field(2, "The claim.", required=True, always=True)


class NodeAllocatableResourceClaimStatus(Model):
    """Node resources taken through a claim."""

    resourceClaimName: str = field(1, "The claim.", required=True, always=True)
    containers: list[str] | None = field(2, "Containers that use it.", list_type="set")
    resources: dict[str, Quantity] = field(3, "How much is taken.", required=True, always=True, go="v1.ResourceList")


class PodStatus(Model):
    """How a pod is doing."""

    observedGeneration: Int64 | None = field(17, "Generation of the pod this was observed at.")
    phase: str | None = field(
        1,
        "Pending, Running, Succeeded, Failed or Unknown.",
        enum=("Failed", "Pending", "Running", "Succeeded", "Unknown"),
        go="v1.PodPhase",
    )
    conditions: list[PodCondition] | None = field(
        2,
        "Observations such as PodScheduled and Ready.",
        patch="merge",
        merge_key="type",
        list_type="map",
        map_keys=("type",),
    )
    message: str | None = field(3, "A sentence for people.")
    reason: str | None = field(4, "One CamelCase word for programs: why it is so.")
    nominatedNodeName: str | None = field(11, "Node where room is being made for it.")
    hostIP: str | None = field(5, "Address of its node.")
    hostIPs: list[HostIP] | None = field(
        16, "Addresses of its node.", patch="merge", merge_key="ip", list_type="atomic"
    )
    podIP: str | None = field(6, "Its address.")
    podIPs: list[PodIP] | None = field(
        12, "Its addresses, one per family.", patch="merge", merge_key="ip", list_type="map", map_keys=("ip",)
    )
    startTime: Time | None = field(7, "When the node took it on.", pointer=True)
    initContainerStatuses: list[ContainerStatus] | None = field(
        10, "How the init containers are doing.", list_type="atomic"
    )
    containerStatuses: list[ContainerStatus] | None = field(8, "How the containers are doing.", list_type="atomic")
    qosClass: str | None = field(
        9,
        "Guaranteed, Burstable or BestEffort, by its requests and limits.",
        enum=("BestEffort", "Burstable", "Guaranteed"),
        go="v1.PodQOSClass",
    )
    ephemeralContainerStatuses: list[ContainerStatus] | None = field(
        13, "How the ephemeral containers are doing.", list_type="atomic"
    )
    resize: str | None = field(14, "State of a change of resources.", go="v1.PodResizeStatus")
    resourceClaimStatuses: list[PodResourceClaimStatus] | None = field(
        15, "Claims made for it.", patch="merge,retainKeys", merge_key="name", list_type="map", map_keys=("name",)
    )
    extendedResourceClaimStatus: PodExtendedResourceClaimStatus | None = field(
        18, "Claim made for its extended resources."
    )
    allocatedResources: dict[str, Quantity] | None = field(
        19, "What the node has set aside for it.", go="v1.ResourceList"
    )
    resources: ResourceRequirements | None = field(20, "What is in force right now.")
    nodeAllocatableResourceClaimStatuses: list[NodeAllocatableResourceClaimStatus] | None = field(
        21, "Node resources taken through claims.", list_type="atomic"
    )
