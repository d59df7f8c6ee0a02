"""What the type of a service makes of its other fields, and what an update may leave out.

`clusterIP` and the first of `clusterIPs` are one value under two names; older clients know only the first. Addresses
and ports that the server chose stay when an update does not name them, and go when the new type has no use for them,
as long as the client did not change them as well (then validation tells it).
"""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

HEADLESS = "None"
EXTERNAL_NAME, NODE_PORT, LOAD_BALANCER, CLUSTER_IP = "ExternalName", "NodePort", "LoadBalancer", "ClusterIP"
IP_FAMILIES = ("IPv4", "IPv6")

Spec = dict[str, Any]


def has_cluster_ip(spec: Spec) -> bool:
    return spec.get("type") != EXTERNAL_NAME


def has_node_ports(spec: Spec) -> bool:
    return spec.get("type") in (NODE_PORT, LOAD_BALANCER)


def has_health_check(spec: Spec) -> bool:
    return spec.get("type") == LOAD_BALANCER and spec.get("externalTrafficPolicy") == "Local"


def is_headless(spec: Spec) -> bool:
    return spec.get("clusterIPs") == [HEADLESS]


def is_reached_from_outside(spec: Spec) -> bool:
    return has_node_ports(spec) or (spec.get("type") == CLUSTER_IP and bool(spec.get("externalIPs")))


def default_service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port", 0)
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("type", CLUSTER_IP)
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {})
        config.setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)
    if is_reached_from_outside(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if has_cluster_ip(spec):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] == LOAD_BALANCER:
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def complete_new(spec: Spec) -> None:
    """Both names of the address, and the families."""
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    _complete_families(spec)


def carry_over(new: Spec, old: Spec) -> None:
    """What an update keeps of the old spec without saying so, and what it drops."""
    _keep_chosen(new, old)
    _keep_both_names_equal(new, old)
    _drop_unneeded(new, old)
    if has_cluster_ip(new) and not new.get("ipFamilyPolicy") and old.get("ipFamilyPolicy"):
        new["ipFamilyPolicy"] = old["ipFamilyPolicy"]
    _complete_families(new)


def _complete_families(spec: Spec) -> None:
    """Services have IPv4 addresses. Whoever writes the endpoints of a headless service without selector himself may
    have both families."""
    if not has_cluster_ip(spec):
        return
    anything_goes = spec.get("clusterIP") == HEADLESS and not spec.get("selector")
    spec.setdefault("ipFamilyPolicy", "RequireDualStack" if anything_goes else "SingleStack")
    families = spec.get("ipFamilies") or [IP_FAMILIES[0]]
    if anything_goes and len(families) == 1 and spec["ipFamilyPolicy"] != "SingleStack":
        families = [*families, *(family for family in IP_FAMILIES if family not in families)]
    spec["ipFamilies"] = families


def _keep_chosen(new: Spec, old: Spec) -> None:
    if has_cluster_ip(old) and has_cluster_ip(new):
        for field in ("clusterIP", "clusterIPs"):
            if not new.get(field) and old.get(field):
                new[field] = old[field]
    if has_node_ports(old) and has_node_ports(new):
        said = _node_ports(new)
        free = {port.get("name", ""): port.get("nodePort", 0) for port in old.get("ports") or []}
        for port in new.get("ports") or []:
            before = free.get(port.get("name", ""), 0)
            if not port.get("nodePort") and before and before not in said:
                port["nodePort"] = before
                said.add(before)
    if has_health_check(old) and has_health_check(new) and old.get("healthCheckNodePort"):
        new.setdefault("healthCheckNodePort", old["healthCheckNodePort"])


def _keep_both_names_equal(new: Spec, old: Spec) -> None:
    if new.get("clusterIP") == old.get("clusterIP") or new.get("clusterIPs") != old.get("clusterIPs"):
        return
    # Only the first name was changed, so the second one follows.
    if new.get("clusterIP"):
        new["clusterIPs"] = [new["clusterIP"]]
    else:
        new.pop("clusterIPs", None)


def _drop_unneeded(new: Spec, old: Spec) -> None:
    if has_cluster_ip(old) and not has_cluster_ip(new):
        if _same(new, old, "clusterIP") and _same(new, old, "clusterIPs"):
            new.pop("clusterIP", None)
            new.pop("clusterIPs", None)
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if _same(new, old, field):
                new.pop(field, None)
    if has_node_ports(old) and not has_node_ports(new) and _node_ports(new) <= _node_ports(old):
        for port in new.get("ports") or []:
            port.pop("nodePort", None)
    if has_health_check(old) and not has_health_check(new) and _same(new, old, "healthCheckNodePort"):
        new.pop("healthCheckNodePort", None)
    if old.get("type") == LOAD_BALANCER and new.get("type") != LOAD_BALANCER:
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if _same(new, old, field):
                new.pop(field, None)
    if is_reached_from_outside(old) and not is_reached_from_outside(new) and _same(new, old, "externalTrafficPolicy"):
        new.pop("externalTrafficPolicy", None)


def _same(new: Spec, old: Spec, field: str) -> bool:
    return bool(new.get(field) == old.get(field))


def _node_ports(spec: Spec) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or [] if port.get("nodePort")}
