"""`serviceaccounts/token`: a token for a service account, perhaps bound to a pod, Secret or node."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from sampan_api.clock import rfc3339
from sampan_api.errors import BadRequest, NotFound
from sampan_api.meta import Object

from sampan_master.apiserver.auth import service_accounts
from sampan_master.apiserver.auth.service_account_tokens import TokenIssuer
from sampan_master.apiserver.registry.verbs import Registry
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.kinds import nodes, pods, secrets, serviceaccounts
from sampan_master.apiserver.resources.kinds.api_access import PROJECTED_SECONDS
from sampan_master.apiserver.validation.fields import Errors, FieldError, invalid, invalid_object
from sampan_master.apiserver.validation.numbers import token_lifetime

VERSION, KIND = "authentication.k8s.io/v1", "TokenRequest"
_DEFAULT_SECONDS = 3600
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Bound:
    """`references` join the claims; `to_pod` says whether the token lives and dies with a pod."""

    references: dict[str, dict[str, str]] = field(default_factory=dict)
    to_pod: bool = False


async def request_token(registry: Registry, issuer: TokenIssuer, namespace: str, name: str, request: Object) -> Object:
    """`request`, answered. Raises NotFound, Invalid, BadRequest, Conflict."""
    metadata, spec = request["metadata"], request["spec"]
    _refuse(name, list(_misplaced(metadata, namespace, name)))
    account = (await registry.get(serviceaccounts.RESOURCE, namespace, name)).obj["metadata"]
    spec["audiences"] = spec.get("audiences") or [issuer.issuer]
    seconds = spec["expirationSeconds"] = spec.get("expirationSeconds", _DEFAULT_SECONDS)
    _refuse("", list(token_lifetime(seconds, "spec.expirationSeconds")))
    reference = spec.setdefault("boundObjectRef", None)
    bound = await _bound(registry, namespace, name, reference) if reference else Bound()
    now = int(registry.clock.now())
    private = {
        "namespace": namespace,
        **bound.references,
        "serviceaccount": {"name": name, "uid": account["uid"]},
    }
    lasting = seconds
    if bound.to_pod and seconds == PROJECTED_SECONDS and spec["audiences"] == [issuer.issuer]:
        lasting = _YEAR
        private["warnafter"] = now + seconds
    claims = {
        "aud": spec["audiences"],
        "exp": now + lasting,
        "iat": now,
        "jti": str(uuid.uuid4()),
        "kubernetes.io": private,
        "nbf": now,
        "sub": service_accounts.username(namespace, name),
    }
    request["metadata"] = {**metadata, "name": name, "namespace": namespace, "creationTimestamp": rfc3339(now)}
    request["status"] = {"token": issuer.sign(claims), "expirationTimestamp": rfc3339(now + seconds)}
    return request


def _misplaced(metadata: dict[str, Any], namespace: str, name: str) -> Errors:
    if metadata.get("name", name) != name:
        yield invalid("metadata.name", metadata["name"], "must match the service account name if specified")
    if metadata.get("namespace", namespace) != namespace:
        said = "must match the service account namespace if specified"
        yield invalid("metadata.namespace", metadata["namespace"], said)


def _refuse(name: str, errors: list[FieldError]) -> None:
    if errors:
        raise invalid_object(KIND, "authentication.k8s.io", name, errors)


async def _bound(registry: Registry, namespace: str, account: str, reference: dict[str, str]) -> Bound:
    group, _, version = reference.get("apiVersion", "").rpartition("/")
    kind, name = reference.get("kind", ""), reference.get("name", "")
    rt = {"Pod": pods.RESOURCE, "Node": nodes.RESOURCE, "Secret": secrets.RESOURCE}.get(kind)
    if group or rt is None:
        raise BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={kind}")
    obj = (await registry.get(rt, namespace if rt.namespaced else "", name)).obj
    if kind == "Pod" and obj["spec"].get("serviceAccountName") != account:
        said = f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
        raise BadRequest(said)
    asked, uid = reference.get("uid", ""), obj["metadata"]["uid"]
    if asked and asked != uid:
        why = (
            f"the UID in the bound object reference ({asked}) does not match the UID in record."
            " The object might have been deleted and then recreated"
        )
        raise problems.conflict(rt, name, why, subject=kind)
    references = {kind.lower(): {"name": name, "uid": uid}}
    node = obj["spec"].get("nodeName") if kind == "Pod" else ""
    if node:
        references = {"node": await _node(registry, node), **references}
    return Bound(references, kind == "Pod")


async def _node(registry: Registry, name: str) -> dict[str, str]:
    try:
        return {"name": name, "uid": (await registry.get(nodes.RESOURCE, "", name)).obj["metadata"]["uid"]}
    except NotFound:
        return {"name": name}
