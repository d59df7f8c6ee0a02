"""authentication.k8s.io/v1: who is asking, and tokens for service accounts."""

from sampan_api.fields import Int64, Model, Strings, Time, field
from sampan_api.models.meta_v1 import ObjectModel


class BoundObjectReference(Model):
    """An object a token lives and dies with."""

    kind: str | None = field(1, "Kind of the object.")
    apiVersion: str | None = field(2, "Version of the API, with its group, that the object is written in.")
    name: str | None = field(3, "Name of the object.")
    uid: str | None = field(4, "UID of the object meant.", go="types.UID")


class UserInfo(Model):
    """Who a request comes from."""

    username: str | None = field(1, "Unique name.")
    uid: str | None = field(2, "Tells users apart over time.")
    groups: list[str] | None = field(3, "Groups the user is in.", list_type="atomic")
    extra: dict[str, Strings] | None = field(4, "Whatever else the authenticator knows.")


class SelfSubjectReviewStatus(Model):
    """The answer."""

    userInfo: UserInfo | None = field(1, "Who the server takes you for.", always=True)


class SelfSubjectReview(ObjectModel):
    """Asks the server: who am I?"""

    API_VERSION = "authentication.k8s.io/v1"

    status: SelfSubjectReviewStatus | None = field(2, "What was observed.", always=True)


class TokenRequestSpec(Model):
    """What the token shall be."""

    audiences: list[str] | None = field(
        1, "Whom it is for; the API server by default.", always=True, list_type="atomic"
    )
    expirationSeconds: Int64 | None = field(4, "How long it shall be valid.", pointer=True)
    boundObjectRef: BoundObjectReference | None = field(3, "Object it becomes invalid with.")


class TokenRequestStatus(Model):
    """The token."""

    token: str | None = field(1, "The token itself.", always=True)
    expirationTimestamp: Time | None = field(2, "When it ends.", always=True)


class TokenRequest(ObjectModel):
    """Asks for a token of a service account."""

    API_VERSION = "authentication.k8s.io/v1"

    spec: TokenRequestSpec | None = field(2, "What is wanted.", always=True)
    status: TokenRequestStatus | None = field(3, "What was observed.", always=True)


class TokenReviewSpec(Model):
    """The question."""

    token: str = field(1, "The token.", required=True)
    audiences: list[str] | None = field(2, "Whom it must be for; at least one must fit.", list_type="atomic")


class TokenReviewStatus(Model):
    """The answer."""

    authenticated: bool | None = field(1, "Whether the token is good.")
    user: UserInfo | None = field(2, "Whose it is.", always=True)
    audiences: list[str] | None = field(4, "Which of the audiences fit.", list_type="atomic")
    error: str | None = field(3, "Why it could not be checked.")


class TokenReview(ObjectModel):
    """Asks whether a token is good."""

    API_VERSION = "authentication.k8s.io/v1"

    spec: TokenReviewSpec = field(2, "What is wanted.", required=True, always=True)
    status: TokenReviewStatus | None = field(3, "What was observed.", always=True)
