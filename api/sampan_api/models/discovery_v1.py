"""discovery.k8s.io/v1: EndpointSlice."""

from sampan_api.fields import Int32, Model, field
from sampan_api.models.core_v1.references import ObjectReference
from sampan_api.models.meta_v1 import ObjectModel


class EndpointConditions(Model):
    """How an endpoint is doing; absent counts as unknown."""

    ready: bool | None = field(1, "Takes new traffic.", pointer=True)
    serving: bool | None = field(2, "Can answer, even while it ends.", pointer=True)
    terminating: bool | None = field(3, "Is being ended.", pointer=True)


class ForZone(Model):
    """A zone from which an endpoint should be used."""

    name: str = field(1, "Name of the zone.", required=True, always=True)


class ForNode(Model):
    """A node from which an endpoint should be used."""

    name: str = field(1, "Name of the node.", required=True, always=True)


class EndpointHints(Model):
    """From where an endpoint should be used."""

    forZones: list[ForZone] | None = field(1, "The zones; at most eight.", list_type="atomic")
    forNodes: list[ForNode] | None = field(2, "The nodes; at most eight.", list_type="atomic")


class Endpoint(Model):
    """One backend of a service."""

    addresses: list[str] = field(
        1,
        "Its addresses, all of the slice's type; they are one and the same backend.",
        required=True,
        always=True,
        list_type="set",
    )
    conditions: EndpointConditions | None = field(2, "How it is doing.", always=True)
    hostname: str | None = field(3, "Its own name within the service's domain.", pointer=True)
    targetRef: ObjectReference | None = field(4, "The pod it belongs to.")
    deprecatedTopology: dict[str, str] | None = field(5, "Where it is, in the form of older versions.")
    nodeName: str | None = field(6, "Node it is on.", pointer=True)
    zone: str | None = field(7, "Zone it is in.", pointer=True)
    hints: EndpointHints | None = field(8, "From where it should be used.")


class EndpointPort(Model):
    """A port that all endpoints of a slice serve."""

    MAP_TYPE = "atomic"

    name: str | None = field(1, "Name of the service's port.", pointer=True)
    protocol: str | None = field(
        2,
        "TCP, UDP or SCTP; TCP by default.",
        pointer=True,
        enum=("SCTP", "TCP", "UDP"),
        go="v1.Protocol",
    )
    port: Int32 | None = field(3, "Its number; absent for all ports.", pointer=True)
    appProtocol: str | None = field(4, "What is spoken on it.", pointer=True)


class EndpointSlice(ObjectModel):
    """A part of the backends of a service."""

    API_VERSION = "discovery.k8s.io/v1"

    addressType: str = field(
        4,
        "IPv4, IPv6 or FQDN; fixed once created.",
        required=True,
        always=True,
        enum=("FQDN", "IPv4", "IPv6"),
        go="v1.AddressType",
    )
    endpoints: list[Endpoint] | None = field(2, "The backends; at most 1000.", always=True, list_type="atomic")
    ports: list[EndpointPort] | None = field(
        3, "Ports that every one of them serves; at most 100.", always=True, list_type="atomic"
    )
