"""EndpointSlice: a part of the addresses behind a service.

`deprecatedTopology` belongs to an older version of the API: Kubernetes drops it from what is written as v1, and so do
we.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sampan_api.client import ENDPOINTSLICES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age, first_few
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.addresses import parse_address, validate_reachable
from sampan_master.apiserver.validation.containers import PROTOCOLS
from sampan_master.apiserver.validation.fields import (
    Errors,
    duplicate,
    invalid,
    one_of,
    required,
    too_many,
    unsupported,
)
from sampan_master.apiserver.validation.names import complain, dns_label, dns_subdomain, label_value, qualified_name
from sampan_master.apiserver.validation.numbers import port_number
from sampan_master.apiserver.validation.updates import unchanged

_TYPES = ("FQDN", "IPv4", "IPv6")
_MOST_ENDPOINTS, _MOST_ADDRESSES, _MOST_PORTS, _MOST_HINTS = 1000, 100, 100, 8


def _default(obj: Object) -> None:
    for field in ("endpoints", "ports"):
        obj.setdefault(field, None)
    for endpoint in obj["endpoints"] or []:
        endpoint.pop("deprecatedTopology", None)
    for port in obj["ports"] or []:
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _validate(obj: Object) -> Errors:
    kind = obj.get("addressType", "")
    if not kind:
        yield required("addressType")
    elif kind not in _TYPES:
        yield unsupported("addressType", kind, _TYPES)
    endpoints, ports = obj["endpoints"] or [], obj["ports"] or []
    if len(endpoints) > _MOST_ENDPOINTS:
        yield too_many("endpoints", len(endpoints), _MOST_ENDPOINTS)
    else:
        for index, endpoint in enumerate(endpoints):
            yield from _endpoint(endpoint, f"endpoints[{index}]", kind)
    if len(ports) > _MOST_PORTS:
        yield too_many("ports", len(ports), _MOST_PORTS)
    else:
        yield from _ports(ports)


def _endpoint(endpoint: dict[str, Any], path: str, kind: str) -> Errors:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        yield required(f"{path}.addresses", "must contain at least 1 address")
    elif len(addresses) > _MOST_ADDRESSES:
        yield too_many(f"{path}.addresses", len(addresses), _MOST_ADDRESSES)
    for index, address in enumerate(addresses):
        yield from _address(address, f"{path}.addresses[{index}]", kind)
    if endpoint.get("nodeName") is not None:
        yield from complain(f"{path}.nodeName", endpoint["nodeName"], dns_subdomain(endpoint["nodeName"]))
    if endpoint.get("zone") is not None:
        yield from complain(f"{path}.zone", endpoint["zone"], label_value(endpoint["zone"]))
    if endpoint.get("hostname") is not None:
        yield from complain(f"{path}.hostname", endpoint["hostname"], dns_label(endpoint["hostname"]))
    for field in ("forZones", "forNodes"):
        yield from _hints((endpoint.get("hints") or {}).get(field) or [], f"{path}.hints.{field}")


def _address(address: str, path: str, kind: str) -> Errors:
    if kind == "FQDN":
        name = address.removesuffix(".")
        complaints = dns_subdomain(name)
        yield from complain(path, address, complaints)
        if not complaints and "." not in name:
            yield invalid(path, address, "should be a domain with at least two segments separated by dots")
    elif kind in ("IPv4", "IPv6"):
        parsed = parse_address(address)
        if parsed is None or f"IPv{parsed.version}" != kind:
            yield invalid(path, address, f"must be a valid {kind} address")
        else:
            yield from validate_reachable(address, path)


def _hints(hints: list[dict[str, Any]], path: str) -> Errors:
    if len(hints) > _MOST_HINTS:
        yield too_many(path, len(hints), _MOST_HINTS)
        return
    seen: set[str] = set()
    for index, hint in enumerate(hints):
        at, name = f"{path}[{index}].name", hint["name"]
        if name in seen:
            yield duplicate(at, name)
        seen.add(name)
        yield from complain(at, name, label_value(name) if name else ["must not be empty"])


def _ports(ports: list[dict[str, Any]]) -> Errors:
    names: set[str] = set()
    for index, port in enumerate(ports):
        at, name = f"ports[{index}]", port["name"]
        if name:
            yield from complain(f"{at}.name", name, dns_label(name))
        if name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from one_of(port["protocol"], PROTOCOLS, f"{at}.protocol")
        if port.get("port") is not None:
            yield from port_number(port["port"], f"{at}.port")
        if port.get("appProtocol") is not None:
            yield from complain(f"{at}.appProtocol", port["appProtocol"], qualified_name(port["appProtocol"]))


def _validate_update(new: Object, old: Object) -> Errors:
    return unchanged(new, old, ("addressType",))


def _warnings(obj: Object) -> Iterator[str]:
    if obj.get("addressType") == "FQDN":
        yield "spec.addressType: FQDN endpoints are deprecated"


def _cells(obj: Object, now: float) -> list[Any]:
    ports = [
        str(port["port"]) if port.get("port") is not None else port.get("name") or "*" for port in obj["ports"] or []
    ]
    addresses = [address for endpoint in obj["endpoints"] or [] for address in endpoint["addresses"]]
    return [
        obj["metadata"]["name"],
        obj["addressType"],
        first_few(ports, "<unset>"),
        first_few(addresses, "<unset>"),
        age(obj, now),
    ]


RESOURCE = ResourceType(
    resource=ENDPOINTSLICES,
    singular="endpointslice",
    generation=True,
    idle=True,
    default=_default,
    validate=_validate,
    validate_update=_validate_update,
    columns=(NAME_COLUMN, Column("AddressType"), Column("Ports"), Column("Endpoints"), AGE_COLUMN),
    cells=_cells,
    warnings=_warnings,
)
