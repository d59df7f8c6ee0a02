"""ClusterRole: rules for the whole cluster. Stored only; `auth.rules_of` is where rules are asked for."""

from __future__ import annotations

from sampan_api.client import CLUSTERROLES
from sampan_api.meta import Object

from sampan_master.apiserver.resources.columns import CREATED_COLUMN, NAME_COLUMN, name_and_creation
from sampan_master.apiserver.resources.kinds.roles import default
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.names import path_segment
from sampan_master.apiserver.validation.rbac import validate_aggregation, validate_rules


def _validate(obj: Object) -> Errors:
    yield from validate_rules(obj.get("rules") or [], namespaced=False)
    if obj.get("aggregationRule") is not None:
        yield from validate_aggregation(obj["aggregationRule"])


RESOURCE = ResourceType(
    resource=CLUSTERROLES,
    singular="clusterrole",
    create_on_update=True,
    name_rule=path_segment,
    default=default,
    validate=_validate,
    columns=(NAME_COLUMN, CREATED_COLUMN),
    cells=name_and_creation,
    idle=True,
)
