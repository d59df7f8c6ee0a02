"""authorization.k8s.io/v1: may this be done?"""

from sampan_api.fields import Model, Strings, field
from sampan_api.models.meta_v1 import FieldSelectorRequirement, LabelSelectorRequirement, ObjectModel


class FieldSelectorAttributes(Model):
    """The field selector of the request in question."""

    rawSelector: str | None = field(1, "As written in the query.")
    requirements: list[FieldSelectorRequirement] | None = field(2, "As parsed; wins.", list_type="atomic")


class LabelSelectorAttributes(Model):
    """The label selector of the request in question."""

    rawSelector: str | None = field(1, "As written in the query.")
    requirements: list[LabelSelectorRequirement] | None = field(2, "As parsed; wins.", list_type="atomic")


class ResourceAttributes(Model):
    """What is asked of a resource: the verb, which objects, and where."""

    namespace: str | None = field(1, "Namespace; empty for all, or for cluster-wide resources.")
    verb: str | None = field(2, "get, list, watch, create, update, patch, delete, … or `*`.")
    group: str | None = field(3, "Group of the resource; `*` for all.")
    version: str | None = field(4, "Version of the resource; `*` for all.")
    resource: str | None = field(5, "The resource; `*` for all.")
    subresource: str | None = field(6, "Its subresource, if any.")
    name: str | None = field(7, "Name of the object; empty for all.")
    fieldSelector: FieldSelectorAttributes | None = field(8, "Only objects whose fields fit.")
    labelSelector: LabelSelectorAttributes | None = field(9, "Only objects whose labels fit.")


class NonResourceAttributes(Model):
    """A request for a path outside the resources."""

    path: str | None = field(1, "The path.")
    verb: str | None = field(2, "The HTTP method, in lower case.")


class SubjectAccessReviewSpec(Model):
    """Whether this user may do that."""

    resourceAttributes: ResourceAttributes | None = field(1, "A request for a resource.")
    nonResourceAttributes: NonResourceAttributes | None = field(2, "A request for another path.")
    user: str | None = field(3, "Name of the user.")
    groups: list[str] | None = field(4, "Groups of the user.", list_type="atomic")
    extra: dict[str, Strings] | None = field(5, "What else the authenticator knows of the user.")
    uid: str | None = field(6, "UID of the user.")


class SubjectAccessReviewStatus(Model):
    """Whether it is allowed, and why."""

    allowed: bool = field(1, "Whether it is allowed.", required=True, always=True)
    denied: bool | None = field(4, "Whether it was denied outright, so that no other authoriser need be asked.")
    reason: str | None = field(2, "Why.")
    evaluationError: str | None = field(3, "What went wrong on the way.")


class LocalSubjectAccessReview(ObjectModel):
    """Asks whether a user may do something in one namespace."""

    API_VERSION = "authorization.k8s.io/v1"

    spec: SubjectAccessReviewSpec = field(2, "The question.", required=True, always=True)
    status: SubjectAccessReviewStatus | None = field(3, "The answer.", always=True)


class NonResourceRule(Model):
    """Things one may do with other paths."""

    verbs: list[str] = field(1, "What may be done.", required=True, always=True, list_type="atomic")
    nonResourceURLs: list[str] | None = field(
        2, "With which paths; a `*` at the end stands for the rest.", list_type="atomic"
    )


class ResourceRule(Model):
    """Things one may do with resources."""

    verbs: list[str] = field(1, "What may be done.", required=True, always=True, list_type="atomic")
    apiGroups: list[str] | None = field(2, "In which groups.", list_type="atomic")
    resources: list[str] | None = field(3, "With which resources.", list_type="atomic")
    resourceNames: list[str] | None = field(4, "With which objects; none means all.", list_type="atomic")


class SelfSubjectAccessReviewSpec(Model):
    """Whether I may do that."""

    resourceAttributes: ResourceAttributes | None = field(1, "A request for a resource.")
    nonResourceAttributes: NonResourceAttributes | None = field(2, "A request for another path.")


class SelfSubjectAccessReview(ObjectModel):
    """Asks: may I do this?"""

    API_VERSION = "authorization.k8s.io/v1"

    spec: SelfSubjectAccessReviewSpec = field(2, "The question.", required=True, always=True)
    status: SubjectAccessReviewStatus | None = field(3, "The answer.", always=True)


class SelfSubjectRulesReviewSpec(Model):
    """Where."""

    namespace: str | None = field(1, "The namespace in question.")


class SubjectRulesReviewStatus(Model):
    """All one may do, as far as it can be listed."""

    resourceRules: list[ResourceRule] = field(1, "Rules for resources.", required=True, always=True, list_type="atomic")
    nonResourceRules: list[NonResourceRule] = field(
        2, "Rules for other paths.", required=True, always=True, list_type="atomic"
    )
    incomplete: bool = field(3, "True when there may be more.", required=True, always=True)
    evaluationError: str | None = field(4, "What went wrong on the way.")


class SelfSubjectRulesReview(ObjectModel):
    """Asks: what may I do here?"""

    API_VERSION = "authorization.k8s.io/v1"

    spec: SelfSubjectRulesReviewSpec = field(2, "The question.", required=True, always=True)
    status: SubjectRulesReviewStatus | None = field(3, "The answer.", always=True)


class SubjectAccessReview(ObjectModel):
    """Asks whether a user may do something."""

    API_VERSION = "authorization.k8s.io/v1"

    spec: SubjectAccessReviewSpec = field(2, "The question.", required=True, always=True)
    status: SubjectAccessReviewStatus | None = field(3, "The answer.", always=True)
