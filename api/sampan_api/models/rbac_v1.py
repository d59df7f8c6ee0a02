"""rbac.authorization.k8s.io/v1: roles, which are lists of rules, and bindings, which give them to subjects."""

from sampan_api.fields import Model, field
from sampan_api.models.meta_v1 import LabelSelector, ObjectModel


class PolicyRule(Model):
    """What may be done with which resources or paths."""

    verbs: list[str] = field(1, "What may be done; `*` is everything.", required=True, always=True, list_type="atomic")
    apiGroups: list[str] | None = field(2, 'Groups of the resources; "" is core, `*` all.', list_type="atomic")
    resources: list[str] | None = field(3, "Resources, `pods/log` for a subresource; `*` is all.", list_type="atomic")
    resourceNames: list[str] | None = field(4, "Only objects of these names; none means all.", list_type="atomic")
    nonResourceURLs: list[str] | None = field(
        5, "Paths outside the resources, for cluster roles; may end in `*`.", list_type="atomic"
    )


class Subject(Model):
    """Who gets a role."""

    MAP_TYPE = "atomic"

    kind: str = field(1, "User, Group or ServiceAccount.", required=True, always=True)
    apiGroup: str | None = field(2, "Group of the kind; empty for service accounts.")
    name: str = field(3, "Name of the subject.", required=True, always=True)
    namespace: str | None = field(4, "Namespace of a service account.")


class RoleRef(Model):
    """The role that a binding gives."""

    MAP_TYPE = "atomic"

    apiGroup: str | None = field(1, "Group of the role.", always=True)
    kind: str = field(2, "Role or ClusterRole.", required=True, always=True)
    name: str = field(3, "Name of the role.", required=True, always=True)


class AggregationRule(Model):
    """Which other cluster roles this one is made of."""

    clusterRoleSelectors: list[LabelSelector] | None = field(
        1, "A cluster role joins when one of these fits.", list_type="atomic"
    )


class Role(ObjectModel):
    """Rules for one namespace."""

    API_VERSION = "rbac.authorization.k8s.io/v1"

    rules: list[PolicyRule] | None = field(2, "What it allows.", always=True, list_type="atomic")


class ClusterRole(ObjectModel):
    """Rules for the whole cluster, or for whichever namespace it is bound in."""

    API_VERSION = "rbac.authorization.k8s.io/v1"

    rules: list[PolicyRule] | None = field(2, "What it allows.", always=True, list_type="atomic")
    aggregationRule: AggregationRule | None = field(3, "Has its rules gathered from other cluster roles.")


class RoleBinding(ObjectModel):
    """Gives a role to subjects in one namespace."""

    API_VERSION = "rbac.authorization.k8s.io/v1"

    subjects: list[Subject] | None = field(2, "Who gets it.", list_type="atomic")
    roleRef: RoleRef = field(
        3, "A Role of this namespace, or a ClusterRole; cannot be changed later.", required=True, always=True
    )


class ClusterRoleBinding(ObjectModel):
    """Gives a cluster role to subjects everywhere."""

    API_VERSION = "rbac.authorization.k8s.io/v1"

    subjects: list[Subject] | None = field(2, "Who gets it.", list_type="atomic")
    roleRef: RoleRef = field(3, "A ClusterRole; cannot be changed later.", required=True, always=True)
