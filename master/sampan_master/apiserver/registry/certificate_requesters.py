"""Who asked, written into a CertificateSigningRequest, and what may not be asked of our own authority."""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.x509.oid import NameOID
from sampan_api.client import UserInfo
from sampan_api.meta import Object

from sampan_master.apiserver.auth.authorization import MASTERS
from sampan_master.apiserver.resources import problems
from sampan_master.apiserver.resources.resource_type import ResourceType

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def write_requester(obj: Object, user: UserInfo) -> None:
    """Whatever the client said of itself is replaced."""
    spec = obj["spec"]
    for field, value in (
        ("username", user.name),
        ("uid", user.uid),
        ("groups", user.groups),
        ("extra", user.extra),
    ):
        spec.pop(field, None)
        if value:
            spec[field] = value


def refuse_masters(rt: ResourceType, obj: Object) -> None:
    """Admission CertificateSubjectRestriction. Raises Forbidden. A request that cannot be read is validation's."""
    if obj["spec"]["signerName"] != CLIENT_SIGNER:
        return
    try:
        subject = x509.load_pem_x509_csr(base64.b64decode(obj["spec"]["request"])).subject
    except ValueError:
        return
    if any(one.value == MASTERS for one in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)):
        said = f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"
        raise problems.forbidden(rt, obj["metadata"].get("name", ""), said)
