"""Endpoints: the addresses behind a service in one object; the predecessor of EndpointSlice."""

from __future__ import annotations

from typing import Any

from sampan_api.client import ENDPOINTS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age, first_few
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.addresses import validate_address, validate_reachable
from sampan_master.apiserver.validation.containers import PROTOCOLS
from sampan_master.apiserver.validation.fields import Errors, one_of, required
from sampan_master.apiserver.validation.names import complain, dns_label, dns_subdomain, qualified_name
from sampan_master.apiserver.validation.numbers import port_number


def _default(obj: Object) -> None:
    for subset in obj.get("subsets") or []:
        for port in subset.get("ports") or []:
            port.setdefault("protocol", "TCP")


def _validate(obj: Object) -> Errors:
    for index, subset in enumerate(obj.get("subsets") or []):
        at = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required(at, "must specify `addresses` or `notReadyAddresses`")
        for field in ("addresses", "notReadyAddresses"):
            for place, address in enumerate(subset.get(field) or []):
                yield from _address(address, f"{at}.{field}[{place}]")
        ports = subset.get("ports") or []
        for place, port in enumerate(ports):
            yield from _port(port, f"{at}.ports[{place}]", named=len(ports) > 1)


def _address(address: dict[str, Any], path: str) -> Errors:
    yield from validate_address(address["ip"], f"{path}.ip")
    if address.get("hostname"):
        yield from complain(f"{path}.hostname", address["hostname"], dns_label(address["hostname"]))
    if address.get("nodeName") is not None:
        yield from complain(f"{path}.nodeName", address["nodeName"], dns_subdomain(address["nodeName"]))
    yield from validate_reachable(address["ip"], f"{path}.ip")


def _port(port: dict[str, Any], path: str, *, named: bool) -> Errors:
    name = port.get("name", "")
    if name:
        yield from complain(f"{path}.name", name, dns_label(name))
    elif named:
        yield required(f"{path}.name")
    yield from port_number(port["port"], f"{path}.port")
    yield from one_of(port["protocol"], PROTOCOLS, f"{path}.protocol")
    if port.get("appProtocol") is not None:
        yield from complain(f"{path}.appProtocol", port["appProtocol"], qualified_name(port["appProtocol"]))


def _shown(subset: dict[str, Any]) -> list[str]:
    addresses = [address["ip"] for address in subset.get("addresses") or []]
    ports = subset.get("ports") or []
    if not ports:
        return addresses
    return [f"[{ip}]:{port['port']}" if ":" in ip else f"{ip}:{port['port']}" for port in ports for ip in addresses]


def _cells(obj: Object, now: float) -> list[Any]:
    shown = [text for subset in obj.get("subsets") or [] for text in _shown(subset)]
    nothing = "" if obj.get("subsets") else "<none>"
    return [obj["metadata"]["name"], first_few(shown, nothing), age(obj, now)]


RESOURCE = ResourceType(
    resource=ENDPOINTS,
    singular="endpoints",
    short_names=("ep",),
    create_on_update=True,
    idle=True,
    deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    default=_default,
    validate=_validate,
    columns=(NAME_COLUMN, Column("Endpoints"), AGE_COLUMN),
    cells=_cells,
)
