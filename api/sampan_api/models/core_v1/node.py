"""Node: a machine, what is wanted of it and what it reports."""

from sampan_api.fields import Int32, Int64, Model, Quantity, Time, field
from sampan_api.models.core_v1.placement import Taint
from sampan_api.models.meta_v1 import ObjectModel


class AttachedVolume(Model):
    """A volume that is attached to a node."""

    name: str = field(1, "The volume.", required=True, always=True, go="v1.UniqueVolumeName")
    devicePath: str = field(2, "Where it is on the node.", required=True, always=True)


class ContainerImage(Model):
    """An image that is on a node."""

    names: list[str] | None = field(1, "Its names.", always=True, list_type="atomic")
    sizeBytes: Int64 | None = field(2, "Its size.")


class DaemonEndpoint(Model):
    """Where a daemon of a node listens."""

    Port: Int32 = field(1, "Its port.", required=True, always=True)


class NodeDaemonEndpoints(Model):
    """Where the daemons of a node listen."""

    kubeletEndpoint: DaemonEndpoint | None = field(1, "The kubelet's.", always=True)


class NodeAddress(Model):
    """An address or name of a node."""

    type: str = field(1, "InternalIP, ExternalIP, Hostname, …", required=True, always=True, go="v1.NodeAddressType")
    address: str = field(2, "The address or name.", required=True, always=True)


class NodeCondition(Model):
    """One observation about a node."""

    type: str = field(
        1, "Which observation: Ready, MemoryPressure, …", required=True, always=True, go="v1.NodeConditionType"
    )
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    lastHeartbeatTime: Time | None = field(3, "When the node last said so.", always=True)
    lastTransitionTime: Time | None = field(4, "When `status` last changed from one value to another.", always=True)
    reason: str | None = field(5, "One CamelCase word for programs: why it is so.")
    message: str | None = field(6, "A sentence for people.")


class ConfigMapNodeConfigSource(Model):
    """A ConfigMap with kubelet settings (historic)."""

    namespace: str = field(1, "Namespace of the ConfigMap.", required=True, always=True)
    name: str = field(2, "Name of the ConfigMap.", required=True, always=True)
    uid: str | None = field(3, "UID of the object meant.", go="types.UID")
    resourceVersion: str | None = field(4, "The version meant; only in status.")
    kubeletConfigKey: str = field(5, "Key that holds the settings.", required=True, always=True)


class NodeConfigSource(Model):
    """Where kubelet settings come from (historic)."""

    configMap: ConfigMapNodeConfigSource | None = field(2, "A ConfigMap.")


class NodeConfigStatus(Model):
    """Settings that the kubelet was given, uses and could go back to (historic)."""

    assigned: NodeConfigSource | None = field(1, "The ones it shall use.")
    active: NodeConfigSource | None = field(2, "The ones it uses.")
    lastKnownGood: NodeConfigSource | None = field(3, "The ones it falls back to.")
    error: str | None = field(4, "What is wrong with the assigned ones.")


class NodeFeatures(Model):
    """What the node's runtime can do."""

    supplementalGroupsPolicy: bool | None = field(1, "Knows `supplementalGroupsPolicy`.", pointer=True)


class NodeRuntimeHandlerFeatures(Model):
    """What a runtime handler can do."""

    recursiveReadOnlyMounts: bool | None = field(1, "Knows recursive read-only mounts.", pointer=True)
    userNamespaces: bool | None = field(2, "Knows user namespaces.", pointer=True)


class NodeRuntimeHandler(Model):
    """One way in which the node can run containers."""

    name: str | None = field(1, "Its name; empty for the default.", always=True)
    features: NodeRuntimeHandlerFeatures | None = field(2, "What it can do.")


class NodeSwapStatus(Model):
    """The node's swap."""

    capacity: Int64 | None = field(1, "Bytes of it.", pointer=True)


class NodeSystemInfo(Model):
    """What kind of machine a node is."""

    machineID: str = field(1, "Id of the machine, from /etc/machine-id.", required=True, always=True)
    systemUUID: str = field(2, "UUID of the machine, from its firmware.", required=True, always=True)
    bootID: str = field(3, "Changes with every boot.", required=True, always=True)
    kernelVersion: str = field(4, "Kernel release.", required=True, always=True)
    osImage: str = field(5, "Name of the operating system.", required=True, always=True)
    containerRuntimeVersion: str = field(
        6, "Runtime and its version, as `runtime://version`.", required=True, always=True
    )
    kubeletVersion: str = field(7, "Version of the node agent.", required=True, always=True)
    kubeProxyVersion: str = field(8, "Historic; equal to the agent's version.", required=True, always=True)
    operatingSystem: str = field(9, "linux or windows.", required=True, always=True)
    architecture: str = field(10, "Processor, in Go's spelling.", required=True, always=True)
    swap: NodeSwapStatus | None = field(11, "The machine's swap.")


class NodeSpec(Model):
    """What is wanted of a node."""

    podCIDR: str | None = field(1, "Addresses of its pods.")
    podCIDRs: list[str] | None = field(7, "The same, one per family.", patch="merge", list_type="set")
    providerID: str | None = field(3, "The machine's name at its cloud.")
    unschedulable: bool | None = field(4, "No new pods, please: what `cordon` sets.")
    taints: list[Taint] | None = field(5, "What pods must tolerate to be here.", list_type="atomic")
    configSource: NodeConfigSource | None = field(6, "Kubelet settings (historic).")
    externalID: str | None = field(2, "Unused.")


class NodeStatus(Model):
    """How a node is doing."""

    capacity: dict[str, Quantity] | None = field(1, "All it has, by resource.", go="v1.ResourceList")
    allocatable: dict[str, Quantity] | None = field(2, "What pods may take of it.", go="v1.ResourceList")
    phase: str | None = field(
        3, "Historic; no longer set.", enum=("Pending", "Running", "Terminated"), go="v1.NodePhase"
    )
    conditions: list[NodeCondition] | None = field(
        4, "Observations such as Ready.", patch="merge", merge_key="type", list_type="map", map_keys=("type",)
    )
    addresses: list[NodeAddress] | None = field(
        5, "How it is reached.", patch="merge", merge_key="type", list_type="map", map_keys=("type",)
    )
    daemonEndpoints: NodeDaemonEndpoints | None = field(6, "Where its daemons listen.", always=True)
    nodeInfo: NodeSystemInfo | None = field(7, "What kind of machine it is.", always=True)
    images: list[ContainerImage] | None = field(8, "Images it holds.", list_type="atomic")
    volumesInUse: list[str] | None = field(9, "Volumes its pods use.", list_type="atomic", go="[]v1.UniqueVolumeName")
    volumesAttached: list[AttachedVolume] | None = field(10, "Volumes attached to it.", list_type="atomic")
    config: NodeConfigStatus | None = field(11, "Which kubelet settings are in force (historic).")
    runtimeHandlers: list[NodeRuntimeHandler] | None = field(
        12, "Ways in which it can run containers.", list_type="atomic"
    )
    features: NodeFeatures | None = field(13, "What its runtime can do.")
    declaredFeatures: list[str] | None = field(14, "Features its agent says it has.", list_type="atomic")


class Node(ObjectModel):
    """A machine that runs pods."""

    API_VERSION = "v1"

    spec: NodeSpec | None = field(2, "What is wanted.", always=True)
    status: NodeStatus | None = field(3, "What was observed.", always=True)
