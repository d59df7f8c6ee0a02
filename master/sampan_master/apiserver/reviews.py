"""Reviews: questions about oneself that are answered and not stored."""

from __future__ import annotations

from typing import Any

from sampan_api.client import UserInfo
from sampan_api.clock import rfc3339
from sampan_api.meta import Object

from sampan_master.apiserver.auth import Attributes, is_allowed
from sampan_master.apiserver.discovery import Virtual

_AUTHENTICATION, _AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"

REVIEWS = (
    Virtual(_AUTHENTICATION, "v1", "selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview"),
    Virtual(_AUTHORIZATION, "v1", "selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview"),
    Virtual(_AUTHORIZATION, "v1", "selfsubjectrulesreviews", "selfsubjectrulesreview", "SelfSubjectRulesReview"),
)


def review(one: Virtual, obj: Object, user: UserInfo, now: float) -> Object:
    """`obj` with the status that answers it."""
    match one.kind:
        case "SelfSubjectReview":
            obj["metadata"] = {"creationTimestamp": rfc3339(now)}
            obj["status"] = {"userInfo": _user_info(user)}
        case "SelfSubjectAccessReview":
            obj["status"] = {"allowed": is_allowed(user, _attributes(obj.get("spec") or {}))}
        case _:
            obj["status"] = _rules(user)
    return obj


def _user_info(user: UserInfo) -> dict[str, Any]:
    info: dict[str, Any] = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = user.groups
    return info


def _attributes(spec: dict[str, Any]) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Attributes(verb=path.get("verb", ""), path=path.get("path", ""))
    asked = spec.get("resourceAttributes") or {}
    return Attributes(
        verb=asked.get("verb", ""),
        group=asked.get("group", ""),
        resource=asked.get("resource", "") or "*",
        subresource=asked.get("subresource", ""),
        namespace=asked.get("namespace", ""),
        name=asked.get("name", ""),
    )


def _rules(user: UserInfo) -> dict[str, Any]:
    everything = is_allowed(user, Attributes("*", resource="*"))
    resources = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}] if everything else []
    paths = [{"verbs": ["*"], "nonResourceURLs": ["*"]}] if everything else []
    paths.append(
        {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version"]}
    )
    return {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}
