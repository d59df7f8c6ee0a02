"""Services: ports, addresses, and what goes with which type."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.defaults.services import (
    CLUSTER_IP,
    EXTERNAL_NAME,
    HEADLESS,
    IP_FAMILIES,
    LOAD_BALANCER,
    Spec,
    has_health_check,
    has_node_ports,
    is_headless,
    is_reached_from_outside,
)
from sampan_master.apiserver.validation.addresses import (
    parse_address,
    validate_address,
    validate_network,
    validate_reachable,
)
from sampan_master.apiserver.validation.containers import PROTOCOLS
from sampan_master.apiserver.validation.fields import (
    Errors,
    duplicate,
    forbidden,
    invalid,
    one_of,
    required,
    unsupported,
)
from sampan_master.apiserver.validation.names import (
    complain,
    dns_label,
    dns_subdomain,
    label_map,
    named,
    port_name,
    qualified_name,
)
from sampan_master.apiserver.validation.numbers import port_number

_TYPES = (CLUSTER_IP, EXTERNAL_NAME, LOAD_BALANCER, "NodePort")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_KUBELET_PORT = 10250
_LONGEST_AFFINITY = 86400
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def validate_service(obj: Object) -> Errors:
    spec = obj["spec"]
    if not spec.get("ports") and not is_headless(spec) and spec["type"] != EXTERNAL_NAME:
        yield required("spec.ports")
    yield from _by_type(spec)
    yield from _ports(spec)
    yield from label_map(spec.get("selector") or {}, "spec.selector")
    yield from _affinity(spec)
    yield from _cluster_ips(spec)
    for index, address in enumerate(spec.get("externalIPs") or []):
        path = f"spec.externalIPs[{index}]"
        wrong = [*validate_address(address, path)]
        yield from wrong or validate_reachable(address, path)
    yield from one_of(spec["type"], _TYPES, "spec.type")
    yield from _port_numbers(spec)
    yield from _balancer(spec)
    yield from _policies(spec)


def _by_type(spec: Spec) -> Errors:
    if spec["type"] == LOAD_BALANCER:
        for index, port in enumerate(spec.get("ports") or []):
            if port.get("port") == _KUBELET_PORT:
                said = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
                yield invalid(f"spec.ports[{index}]", _KUBELET_PORT, said)
    if has_node_ports(spec) and is_headless(spec):
        yield invalid("spec.clusterIPs[0]", HEADLESS, f"may not be set to 'None' for {spec['type']} services")
    if spec["type"] == EXTERNAL_NAME:
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field):
                yield forbidden(f"spec.{field}", "may not be set for ExternalName services")
        name = spec.get("externalName", "").removesuffix(".")
        yield from named(name, dns_subdomain, "spec.externalName")


def _ports(spec: Spec) -> Errors:
    ports = spec.get("ports") or []
    names: set[str] = set()
    for index, port in enumerate(ports):
        at, name = f"spec.ports[{index}]", port.get("name", "")
        if name:
            yield from complain(f"{at}.name", name, dns_label(name))
            if name in names:
                yield duplicate(f"{at}.name", name)
            names.add(name)
        elif len(ports) > 1:
            yield required(f"{at}.name")
        yield from port_number(port.get("port", 0), f"{at}.port")
        yield from one_of(port["protocol"], PROTOCOLS, f"{at}.protocol")
        yield from port_or_name(port.get("targetPort", 0), f"{at}.targetPort")
        if port.get("appProtocol") is not None:
            yield from complain(f"{at}.appProtocol", port["appProtocol"], qualified_name(port["appProtocol"]))


def port_or_name(value: int | str, path: str) -> Errors:
    if isinstance(value, int):
        yield from port_number(value, path)
    else:
        yield from complain(path, value, port_name(value))


def _port_numbers(spec: Spec) -> Errors:
    """Each pair of protocol and number once, inside and at the nodes."""
    ports = spec.get("ports") or []
    if spec["type"] == CLUSTER_IP:
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                yield forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        if port.get("nodePort"):
            if (port["protocol"], port["nodePort"]) in seen:
                yield duplicate(f"spec.ports[{index}].nodePort", port["nodePort"])
            seen.add((port["protocol"], port["nodePort"]))
    seen = set()
    for index, port in enumerate(ports):
        pair = (port["protocol"], port.get("port", 0))
        if pair in seen:
            shown = {
                "Name": "",
                "Protocol": pair[0],
                "AppProtocol": None,
                "Port": pair[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            yield duplicate(f"spec.ports[{index}]", shown)
        seen.add(pair)


def _affinity(spec: Spec) -> Errors:
    affinity = spec["sessionAffinity"]
    if affinity not in ("ClientIP", "None"):
        yield unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    elif affinity == "ClientIP":
        path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
        if not 0 < seconds <= _LONGEST_AFFINITY:
            yield invalid(path, seconds, f"must be greater than 0 and less than {_LONGEST_AFFINITY}")


def _cluster_ips(spec: Spec) -> Errors:
    first, addresses = spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    if first and not addresses:
        yield required("spec.clusterIPs")
    elif first and first != addresses[0]:
        yield invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    elif addresses and not first:
        yield invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified")
    for index, family in enumerate(spec.get("ipFamilies") or []):
        yield from one_of(family, IP_FAMILIES, f"spec.ipFamilies[{index}]")
        if family in spec["ipFamilies"][:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    policy = spec.get("ipFamilyPolicy")
    yield from one_of(policy, _FAMILY_POLICIES, "spec.ipFamilyPolicy")
    if addresses[:1] == [HEADLESS]:
        if len(addresses) > 1:
            yield invalid("spec.clusterIPs", addresses, "'None' must be the first and only value")
        if not spec.get("selector"):
            return
    yield from _addresses(addresses)
    yield from _families(spec, addresses)


def _addresses(addresses: list[str]) -> Errors:
    for index, address in enumerate(addresses):
        if not (index == 0 and address == HEADLESS):
            yield from validate_address(address, f"spec.clusterIPs[{index}]")
    if len(addresses) > 2:
        yield invalid("spec.clusterIPs", addresses, "may only hold up to 2 values")
    versions = [parsed.version for text in addresses if (parsed := parse_address(text)) is not None]
    if len(set(versions)) < len(versions):
        yield invalid("spec.clusterIPs", addresses, "may specify no more than one IP for each IP family")


def _families(spec: Spec, addresses: list[str]) -> Errors:
    """This cluster's services have IPv4 addresses only."""
    policy, families = spec.get("ipFamilyPolicy"), spec.get("ipFamilies") or []
    if policy == "SingleStack":
        for values, what in ((addresses, "cluster IPs"), (families, "IP families")):
            if len(values) == 2:
                said = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
                yield invalid("spec.ipFamilyPolicy", policy, said)
    if policy == "RequireDualStack":
        yield invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services")
    for index, text in enumerate(addresses):
        parsed = parse_address(text)
        if parsed is not None and parsed.version == 6:
            yield invalid(f"spec.clusterIPs[{index}]", addresses, "IPv6 is not configured on this cluster")
    for index, family in enumerate(families):
        if family == "IPv6":
            yield invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")


def _balancer(spec: Spec) -> Errors:
    ranges = spec.get("loadBalancerSourceRanges") or []
    balanced = spec["type"] == LOAD_BALANCER
    if ranges and not balanced:
        yield forbidden("spec.LoadBalancerSourceRanges", _ONLY_BALANCED)
    for index, network in enumerate(ranges):
        yield from validate_network(network.strip(), f"spec.LoadBalancerSourceRanges[{index}]")
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        yield forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCED)
    balancer = spec.get("loadBalancerClass")
    if balancer is not None:
        if balanced:
            yield from complain("spec.loadBalancerClass", balancer, qualified_name(balancer))
        else:
            yield forbidden("spec.loadBalancerClass", _ONLY_BALANCED)


def _policies(spec: Spec) -> Errors:
    outside = spec.get("externalTrafficPolicy")
    if not is_reached_from_outside(spec):
        if outside:
            yield invalid("spec.externalTrafficPolicy", outside, "may only be set for externally-accessible services")
    elif outside not in ("Cluster", "Local"):
        yield unsupported("spec.externalTrafficPolicy", outside, ("Cluster", "Local"))
    check = spec.get("healthCheckNodePort", 0)
    if check and not has_health_check(spec):
        said = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", check, said)
    elif check:
        yield from port_number(check, "spec.healthCheckNodePort")
    inside = spec.get("internalTrafficPolicy")
    yield from one_of(inside, ("Cluster", "Local"), "spec.internalTrafficPolicy")
    near = spec.get("trafficDistribution")
    yield from one_of(near, _DISTRIBUTIONS, "spec.trafficDistribution")


def validate_service_update(new: Object, old: Object) -> Errors:
    spec, before = new["spec"], old["spec"]
    if EXTERNAL_NAME not in (spec["type"], before.get("type")) and not (is_headless(spec) and is_headless(before)):
        yield from _kept("clusterIPs", "primary clusterIP can not be unset", spec, before)
        if is_headless(spec) == is_headless(before):
            yield from _kept("ipFamilies", "primary ipFamily can not be unset", spec, before)
    if spec["type"] == before.get("type") == LOAD_BALANCER and _changed("loadBalancerClass", spec, before):
        yield invalid("spec.loadBalancerClass", spec.get("loadBalancerClass"), "may not change once set")
    if has_health_check(spec) and has_health_check(before) and _changed("healthCheckNodePort", spec, before):
        yield forbidden("spec.healthCheckNodePort", "field is immutable")


def _changed(field: str, spec: Spec, before: Spec) -> bool:
    return bool(spec.get(field) != before.get(field))


def _kept(field: str, unset: str, spec: Spec, before: Spec) -> Errors:
    values, had = spec.get(field) or [], before.get(field) or []
    if had and not values:
        yield invalid(f"spec.{field}[0]", values, unset)
    elif had and values[0] != had[0]:
        yield invalid(f"spec.{field}[0]", values, "may not change once set")


def validate_balancer_status(status: dict[str, Any]) -> Errors:
    for index, ingress in enumerate((status.get("loadBalancer") or {}).get("ingress") or []):
        at = f"status.loadBalancer.ingress[{index}]"
        address, name, mode = ingress.get("ip", ""), ingress.get("hostname", ""), ingress.get("ipMode")
        if address:
            yield from validate_address(address, f"{at}.ip")
        if mode is not None and not address:
            yield forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set")
        elif mode not in (None, "Proxy", "VIP"):
            yield unsupported(f"{at}.ipMode", mode, ("Proxy", "VIP"))
        if name:
            yield from complain(f"{at}.hostname", name, dns_subdomain(name))
            if parse_address(name) is not None:
                yield invalid(f"{at}.hostname", name, "must be a DNS name, not an IP address")
