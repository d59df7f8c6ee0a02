"""ServiceAccount: an identity for pods, proven by the tokens that its subresource issues."""

from __future__ import annotations

from sampan_api.client import SERVICEACCOUNTS

from sampan_master.apiserver.resources.resource_type import ResourceType, Subresource

RESOURCE = ResourceType(
    resource=SERVICEACCOUNTS,
    singular="serviceaccount",
    short_names=("sa",),
    subresources=(Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
    answers_object=True,
)
