"""Reviews: questions about users and tokens that are answered and not stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan_api.client import UserInfo
from sampan_api.clock import rfc3339
from sampan_api.errors import BadRequest
from sampan_api.meta import Object

from sampan_master.apiserver.auth.authentication import Authenticator, InvalidToken
from sampan_master.apiserver.auth.authorization import Attributes, Rule, is_allowed, rules_of
from sampan_master.apiserver.discovery.groups import Virtual
from sampan_master.apiserver.validation.fields import invalid_object
from sampan_master.apiserver.validation.reviews import validate_access_review

_AUTHENTICATION, _AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"

REVIEWS = (
    Virtual(_AUTHENTICATION, "v1", "selfsubjectreviews", "SelfSubjectReview"),
    Virtual(_AUTHENTICATION, "v1", "tokenreviews", "TokenReview"),
    Virtual(_AUTHORIZATION, "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced=True),
    Virtual(_AUTHORIZATION, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    Virtual(_AUTHORIZATION, "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    Virtual(_AUTHORIZATION, "v1", "subjectaccessreviews", "SubjectAccessReview"),
)


class Reviews:
    def __init__(self, authenticator: Authenticator, now: Callable[[], float]) -> None:
        self._authenticator = authenticator
        self._now = now

    async def answer(self, one: Virtual, obj: Object, user: UserInfo) -> Object:
        """`obj` with the status that answers it. Raises BadRequest, Invalid."""
        match one.kind:
            case "SelfSubjectReview":
                obj["metadata"] = {"creationTimestamp": rfc3339(self._now())}
                obj["status"] = {"userInfo": user_info(user)}
            case "TokenReview":
                obj["status"] = await self._token(obj["spec"])
            case "SelfSubjectRulesReview":
                obj["status"] = _rules(user, obj["spec"])
            case _:
                obj["status"] = _access(one, obj, user)
        return obj

    async def _token(self, spec: dict[str, Any]) -> dict[str, Any]:
        if not spec.get("token"):
            raise BadRequest("token is required for TokenReview in authentication")
        try:
            verified = await self._authenticator.bearer(spec["token"], spec.get("audiences") or ())
        except InvalidToken as error:
            return {"user": {}, "error": str(error)}
        return {"authenticated": True, "user": user_info(verified.user), "audiences": verified.audiences}


def user_info(user: UserInfo) -> dict[str, Any]:
    info = {"username": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra}
    return {field: value for field, value in info.items() if value}


def _access(one: Virtual, obj: Object, user: UserInfo) -> dict[str, Any]:
    spec = obj["spec"]
    errors = list(validate_access_review(one.kind, obj))
    if errors:
        raise invalid_object("", one.group, "", errors)
    if one.kind != "SelfSubjectAccessReview":
        user = UserInfo(spec.get("user", ""), spec.get("groups") or [], spec.get("uid", ""), spec.get("extra") or {})
    return {"allowed": is_allowed(user, _attributes(spec))}


def _attributes(spec: dict[str, Any]) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Attributes(verb=path.get("verb", ""), path=path.get("path", ""))
    asked = spec["resourceAttributes"]
    return Attributes(
        verb=asked.get("verb", ""),
        group=asked.get("group", ""),
        resource=asked.get("resource", "") or "*",
        subresource=asked.get("subresource", ""),
        namespace=asked.get("namespace", ""),
        name=asked.get("name", ""),
    )


def _rules(user: UserInfo, spec: dict[str, Any]) -> dict[str, Any]:
    if not spec.get("namespace"):
        raise BadRequest("no namespace on request")
    rules = rules_of(user)
    return {
        "resourceRules": [_resource_rule(rule) for rule in rules if rule.resources],
        "nonResourceRules": [
            {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.paths)} for rule in rules if rule.paths
        ],
        "incomplete": False,
    }


def _resource_rule(rule: Rule) -> dict[str, Any]:
    return {"verbs": list(rule.verbs), "apiGroups": list(rule.groups), "resources": list(rule.resources)}
