"""What RoleBinding and ClusterRoleBinding share: defaults and columns."""

from __future__ import annotations

from typing import Any

from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import AGE_COLUMN, NAME_COLUMN, Column, age
from sampan_master.apiserver.validation.rbac import GROUP, SUBJECTS

COLUMNS = (
    NAME_COLUMN,
    Column("Role"),
    AGE_COLUMN,
    Column("Users", wide=True),
    Column("Groups", wide=True),
    Column("ServiceAccounts", wide=True),
)


def default(obj: Object) -> None:
    role = obj["roleRef"]
    role["apiGroup"] = role.get("apiGroup") or GROUP
    for subject in obj.get("subjects") or []:
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP


def cells(obj: Object, now: float) -> list[Any]:
    role = obj["roleRef"]
    by_kind: dict[str, list[str]] = {kind: [] for kind in SUBJECTS}
    for subject in obj.get("subjects") or []:
        place = f"{subject.get('namespace', '')}/" if subject["kind"] == "ServiceAccount" else ""
        by_kind[subject["kind"]].append(place + subject["name"])
    users, groups, accounts = (", ".join(by_kind[kind]) for kind in ("User", "Group", "ServiceAccount"))
    return [obj["metadata"]["name"], f"{role['kind']}/{role['name']}", age(obj, now), users, groups, accounts]
