"""ServiceAccount: an identity for pods. Tokens are not issued yet (`serviceaccounts/token` is not served)."""

from __future__ import annotations

from sampan_api.client import SERVICEACCOUNTS

from sampan_master.apiserver.resource import ResourceType

RESOURCE = ResourceType(resource=SERVICEACCOUNTS, singular="serviceaccount", short_names=("sa",))
