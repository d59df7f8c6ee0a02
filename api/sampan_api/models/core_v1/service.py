"""Service: one stable address in front of pods that come and go."""

from sampan_api.fields import Int32, IntOrString, Model, field
from sampan_api.models.meta_v1 import Condition, ObjectModel


class ClientIPConfig(Model):
    """Sticks by the client's address."""

    timeoutSeconds: Int32 | None = field(1, "How long after the last connection; three hours by default.", pointer=True)


class SessionAffinityConfig(Model):
    """How clients stick to a pod."""

    clientIP: ClientIPConfig | None = field(1, "By the client's address.")


class PortStatus(Model):
    """Whether a load balancer serves one port."""

    port: Int32 = field(1, "The service's port.", required=True, always=True)
    protocol: str = field(
        2,
        "TCP, UDP or SCTP.",
        required=True,
        always=True,
        enum=("SCTP", "TCP", "UDP"),
        go="v1.Protocol",
    )
    error: str | None = field(3, "Why it does not, as one CamelCase word.", pointer=True)


class LoadBalancerIngress(Model):
    """One address at which a load balancer takes traffic."""

    ip: str | None = field(1, "Its address, when it has one.")
    hostname: str | None = field(2, "Its DNS name, when it has no address.")
    ipMode: str | None = field(
        3,
        "VIP when packets arrive with the balancer's address, Proxy when they come to the node's own.",
        pointer=True,
        go="v1.LoadBalancerIPMode",
    )
    ports: list[PortStatus] | None = field(4, "The ports it serves there.", list_type="atomic")


class LoadBalancerStatus(Model):
    """Where a load balancer takes traffic."""

    ingress: list[LoadBalancerIngress] | None = field(1, "Its addresses.", list_type="atomic")


class ServicePort(Model):
    """One port of a service."""

    name: str | None = field(1, "Its name; needed when there are several.")
    protocol: str | None = field(
        2,
        "TCP, UDP or SCTP.",
        enum=("SCTP", "TCP", "UDP"),
        default="TCP",
        go="v1.Protocol",
    )
    appProtocol: str | None = field(6, "What is spoken on it, e.g. `http` or `kubernetes.io/h2c`.", pointer=True)
    port: Int32 = field(3, "Port clients connect to.", required=True, always=True)
    targetPort: IntOrString | None = field(
        4, "Port of the pods, or the name of one; equal to `port` by default.", always=True
    )
    nodePort: Int32 | None = field(
        5, "Port on every node, for NodePort and LoadBalancer; chosen by the server unless given."
    )


class ServiceSpec(Model):
    """Which pods, and how they are reached."""

    ports: list[ServicePort] | None = field(
        1, "What it listens to.", patch="merge", merge_key="port", list_type="map", map_keys=("port", "protocol")
    )
    selector: dict[str, str] | None = field(
        2, "Labels of the pods behind it; without one somebody else writes the endpoints.", map_type="atomic"
    )
    clusterIP: str | None = field(
        3, "Its address in the cluster; `None` for a headless service; chosen by the server unless given."
    )
    clusterIPs: list[str] | None = field(
        18, "The same, one per address family; the first equals `clusterIP`.", list_type="atomic"
    )
    type: str | None = field(
        4,
        "How far it is to be seen: ClusterIP, NodePort, LoadBalancer or ExternalName.",
        enum=("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
        go="v1.ServiceType",
    )
    externalIPs: list[str] | None = field(
        5,
        "Further addresses at which nodes take traffic for it; routing to them is the user's business.",
        list_type="atomic",
    )
    sessionAffinity: str | None = field(
        7,
        "ClientIP keeps a client on one pod.",
        enum=("ClientIP", "None"),
        go="v1.ServiceAffinity",
    )
    loadBalancerIP: str | None = field(8, "Address asked of the load balancer (historic).")
    loadBalancerSourceRanges: list[str] | None = field(
        9, "Networks the load balancer admits; all by default.", list_type="atomic"
    )
    externalName: str | None = field(10, "DNS name an ExternalName service stands for.")
    externalTrafficPolicy: str | None = field(
        11,
        "Local keeps traffic from outside on the node it reached, and with it the client's address.",
        enum=("Cluster", "Local"),
        go="v1.ServiceExternalTrafficPolicy",
    )
    healthCheckNodePort: Int32 | None = field(
        12, "Port where a node says whether it has pods, for load balancers with the Local policy."
    )
    publishNotReadyAddresses: bool | None = field(13, "Count pods as ready even when they are not.")
    sessionAffinityConfig: SessionAffinityConfig | None = field(14, "Details of the affinity.")
    ipFamilies: list[str] | None = field(
        19,
        "IPv4, IPv6 or both, in order of preference.",
        list_type="atomic",
        enum=("", "IPv4", "IPv6"),
        go="[]v1.IPFamily",
    )
    ipFamilyPolicy: str | None = field(
        17,
        "Whether one family is enough: SingleStack, PreferDualStack or RequireDualStack.",
        pointer=True,
        enum=("PreferDualStack", "RequireDualStack", "SingleStack"),
        go="v1.IPFamilyPolicy",
    )
    allocateLoadBalancerNodePorts: bool | None = field(20, "False spares a LoadBalancer its node ports.", pointer=True)
    loadBalancerClass: str | None = field(
        21, "Which implementation makes the load balancer; fixed once set.", pointer=True
    )
    internalTrafficPolicy: str | None = field(
        22,
        "Local keeps traffic from pods on their node.",
        pointer=True,
        enum=("Cluster", "Local"),
        go="v1.ServiceInternalTrafficPolicy",
    )
    trafficDistribution: str | None = field(23, "Which endpoints are preferred, e.g. `PreferSameZone`.", pointer=True)


class ServiceStatus(Model):
    """How it can be reached by now."""

    loadBalancer: LoadBalancerStatus | None = field(1, "Where its load balancer takes traffic.", always=True)
    conditions: list[Condition] | None = field(
        2, "Observations about it.", patch="merge", merge_key="type", list_type="map", map_keys=("type",)
    )


class Service(ObjectModel):
    """A name and an address for a set of pods."""

    API_VERSION = "v1"

    spec: ServiceSpec | None = field(2, "What is wanted.", always=True)
    status: ServiceStatus | None = field(3, "What was observed.", always=True)
