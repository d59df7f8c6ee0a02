"""What a pod gets so that it can speak to the API: a volume with a token of its service account, the cluster's
certificate authority and its namespace, mounted where every client library looks for them."""

from __future__ import annotations

import re
from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.resources.generated_names import generated_name

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
PROJECTED_SECONDS = 3607
"""How long the token is said to last. It really lasts a year, as it does in Kubernetes: programs that read their
token once and never again shall not break. It still dies with its pod, and the node renews it by the shorter time."""
_PREFIX = "kube-api-access-"


def is_wanted(spec: dict[str, Any], account: Object | None) -> bool:
    """The pod's word counts, else its service account's, else yes."""
    for said in (spec, account or {}):
        if said.get("automountServiceAccountToken") is not None:
            return bool(said["automountServiceAccountToken"])
    return True


def mount(spec: dict[str, Any]) -> None:
    """Changes `spec`. A container that mounts something at the place already keeps it."""
    volumes = spec.get("volumes") or []
    name = next((volume["name"] for volume in volumes if volume.get("name", "").startswith(_PREFIX)), "")
    there = bool(name)
    name = name or generated_name(_PREFIX)
    needed = False
    for container in (*(spec.get("initContainers") or []), *(spec.get("containers") or [])):
        mounts = container.get("volumeMounts") or []
        if not any(one.get("mountPath") == MOUNT_PATH for one in mounts):
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
            needed = True
    if needed and not there:
        spec["volumes"] = [*volumes, {"name": name, "projected": _projected()}]


def without_name(spec: dict[str, Any], text: bytes) -> bytes:
    """The text of `spec` with the name of the volume that `mount` has made replaced by what no JSON contains: in
    nothing else do pods of one template differ, and one such name is as valid as another."""
    name = spec["volumes"][-1]["name"] if spec.get("volumes") else ""
    if not _MADE.fullmatch(name):
        return text
    return text.replace(b'"%b"' % name.encode(), b"\0")


_MADE = re.compile(f"{_PREFIX}[a-z0-9]{{5}}")


def _projected() -> dict[str, Any]:
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": PROJECTED_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
        ],
        "defaultMode": 0o644,
    }
