"""Endpoints: the addresses behind a service, all in one object (EndpointSlice took its place)."""

from sampan_api.fields import Int32, Model, field
from sampan_api.models.core_v1.references import ObjectReference
from sampan_api.models.meta_v1 import ObjectModel


class EndpointAddress(Model):
    """One address behind a service."""

    MAP_TYPE = "atomic"

    ip: str = field(1, "The address; not a loopback or link-local one.", required=True, always=True)
    hostname: str | None = field(3, "Its own name within the service's domain.")
    nodeName: str | None = field(4, "Node it is on.", pointer=True)
    targetRef: ObjectReference | None = field(2, "The pod it belongs to.")


class EndpointPort(Model):
    """A port that the addresses of a subset serve."""

    MAP_TYPE = "atomic"

    name: str | None = field(1, "Name of the service's port.")
    port: Int32 = field(2, "Its number.", required=True, always=True)
    protocol: str | None = field(
        3,
        "TCP, UDP or SCTP.",
        enum=("SCTP", "TCP", "UDP"),
        go="v1.Protocol",
    )
    appProtocol: str | None = field(4, "What is spoken on it.", pointer=True)


class EndpointSubset(Model):
    """Addresses that serve the same ports."""

    addresses: list[EndpointAddress] | None = field(1, "Those ready to take traffic.", list_type="atomic")
    notReadyAddresses: list[EndpointAddress] | None = field(2, "Those that are not.", list_type="atomic")
    ports: list[EndpointPort] | None = field(3, "The ports all of them serve.", list_type="atomic")


class Endpoints(ObjectModel):
    """The addresses behind the service of the same name."""

    API_VERSION = "v1"

    subsets: list[EndpointSubset] | None = field(
        2, "The addresses, grouped by the ports they serve.", list_type="atomic"
    )
