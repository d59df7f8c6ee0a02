"""Roles and bindings: rules, subjects, and the role a binding refers to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.validation.affinity import validate_label_selector
from sampan_master.apiserver.validation.fields import Errors, invalid, one_of, required, unsupported
from sampan_master.apiserver.validation.names import complain, dns_subdomain, path_segment

GROUP = "rbac.authorization.k8s.io"
SUBJECTS = ("ServiceAccount", "User", "Group")


def validate_rules(rules: Iterable[dict[str, Any]], *, namespaced: bool) -> Errors:
    for index, rule in enumerate(rules):
        yield from _rule(rule, namespaced, f"rules[{index}]")


def _rule(rule: dict[str, Any], namespaced: bool, path: str) -> Errors:
    if not rule.get("verbs"):
        yield required(f"{path}.verbs", "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            yield invalid(f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            said = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid(f"{path}.nonResourceURLs", urls, said)
        return
    if not rule.get("apiGroups"):
        yield required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required(f"{path}.resources", "resource rules must supply at least one resource")


def validate_aggregation(rule: dict[str, Any]) -> Errors:
    path = "aggregationRule.clusterRoleSelectors"
    selectors = rule.get("clusterRoleSelectors")
    if not selectors:
        yield required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(selectors or []):
        yield from validate_label_selector(selector, f"{path}[{index}]")


def validate_binding(obj: Object, roles: tuple[str, ...], *, namespaced: bool) -> Errors:
    """`roles`: the kinds that may be bound."""
    role = obj["roleRef"]
    if role["apiGroup"] != GROUP:
        yield unsupported("roleRef.apiGroup", role["apiGroup"], (GROUP,))
    yield from one_of(role["kind"], roles, "roleRef.kind")
    if not role["name"]:
        yield required("roleRef.name")
    yield from complain("roleRef.name", role["name"], path_segment(role["name"]))
    for index, subject in enumerate(obj.get("subjects") or []):
        yield from _subject(subject, namespaced, f"subjects[{index}]")


def _subject(subject: dict[str, Any], namespaced: bool, path: str) -> Errors:
    kind, name, group = subject["kind"], subject["name"], subject.get("apiGroup", "")
    if not name:
        yield required(f"{path}.name")
    if kind not in SUBJECTS:
        yield unsupported(f"{path}.kind", kind, SUBJECTS)
    elif kind == "ServiceAccount":
        if name:
            yield from complain(f"{path}.name", name, dns_subdomain(name))
        if group:
            yield unsupported(f"{path}.apiGroup", group, ("",))
        if not namespaced and not subject.get("namespace"):
            yield required(f"{path}.namespace")
    else:
        if not name:
            yield invalid(f"{path}.name", name, f"{kind.lower()} name cannot be empty")
        if group != GROUP:
            yield unsupported(f"{path}.apiGroup", group, (GROUP,))


def validate_binding_update(new: Object, old: Object) -> Errors:
    if new["roleRef"] != old["roleRef"]:
        role = new["roleRef"]
        shown = {"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]}
        yield invalid("roleRef", shown, "cannot change roleRef")
