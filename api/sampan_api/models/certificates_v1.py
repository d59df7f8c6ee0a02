"""certificates.k8s.io/v1: CertificateSigningRequest, which asks for a certificate and is approved or denied."""

from sampan_api.fields import Base64, Int32, Model, Strings, Time, field
from sampan_api.models.meta_v1 import ObjectModel


class CertificateSigningRequestSpec(Model):
    """What is asked for, and by whom. Never changes."""

    request: Base64 = field(1, "PKCS #10 request, PEM.", required=True, always=True)
    signerName: str = field(7, "Who shall sign, as `domain/path`.", required=True, always=True)
    expirationSeconds: Int32 | None = field(8, "How long the certificate shall be valid.", pointer=True)
    usages: list[str] | None = field(5, "What the key is for, such as `client auth`.", list_type="atomic")
    username: str | None = field(2, "Who asked; set by the server.")
    uid: str | None = field(3, "UID of who asked; set by the server.")
    groups: list[str] | None = field(4, "Groups of who asked; set by the server.", list_type="atomic")
    extra: dict[str, Strings] | None = field(6, "What else is known of who asked; set by the server.")


class CertificateSigningRequestCondition(Model):
    """A decision, or a failure to sign."""

    type: str = field(1, "Approved, Denied, Failed or another.", required=True, always=True)
    status: str = field(6, "True; for other types also False or Unknown.", required=True, always=True)
    reason: str | None = field(2, "One word for programs.")
    message: str | None = field(3, "A sentence for people.")
    lastUpdateTime: Time | None = field(4, "When it was last written.", always=True)
    lastTransitionTime: Time | None = field(5, "When its status last changed.", always=True)


class CertificateSigningRequestStatus(Model):
    """What was decided and, once it is issued, the certificate."""

    conditions: list[CertificateSigningRequestCondition] | None = field(
        1, "Decisions and failures.", list_type="map", map_keys=("type",)
    )
    certificate: Base64 | None = field(2, "The certificate, PEM, once it is issued.")


class CertificateSigningRequest(ObjectModel):
    """Asks a signer for a certificate."""

    API_VERSION = "certificates.k8s.io/v1"

    spec: CertificateSigningRequestSpec = field(2, "What is asked for.", required=True, always=True)
    status: CertificateSigningRequestStatus | None = field(3, "What became of it.", always=True)
