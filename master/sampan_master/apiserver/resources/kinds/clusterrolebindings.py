"""ClusterRoleBinding: gives a ClusterRole to subjects everywhere. Stored only."""

from __future__ import annotations

from sampan_api.client import CLUSTERROLEBINDINGS
from sampan_api.meta import Object

from sampan_master.apiserver.resources.kinds.bindings import COLUMNS, cells, default
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import Errors
from sampan_master.apiserver.validation.names import path_segment
from sampan_master.apiserver.validation.rbac import validate_binding, validate_binding_update


def _validate(obj: Object) -> Errors:
    return validate_binding(obj, ("ClusterRole",), namespaced=False)


RESOURCE = ResourceType(
    resource=CLUSTERROLEBINDINGS,
    singular="clusterrolebinding",
    create_on_update=True,
    name_rule=path_segment,
    default=default,
    validate=_validate,
    validate_update=validate_binding_update,
    columns=COLUMNS,
    cells=cells,
    idle=True,
)
