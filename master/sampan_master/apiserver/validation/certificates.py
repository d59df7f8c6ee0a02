"""CertificateSigningRequest: the request itself, what it is for, who may decide it and who may answer it."""

from __future__ import annotations

import base64
import re
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from sampan_api.meta import Object

from sampan_master.apiserver.validation.fields import (
    Errors,
    duplicate,
    forbidden,
    go_quote,
    invalid,
    one_of,
    required,
    too_long,
    unsupported,
)
from sampan_master.apiserver.validation.names import dns_label, dns_subdomain

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
_DECISIONS = (APPROVED, DENIED)
_USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
_LEAST_SECONDS = 600
_LONGEST_DOMAIN = 253
_PEM_TYPE = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")


def validate_request(obj: Object) -> Errors:
    spec = obj["spec"]
    wrong = _wrong_request(base64.b64decode(spec["request"]))
    if wrong:
        yield invalid("spec.request", spec["request"], wrong)
    usages = spec.get("usages") or []
    if not usages:
        yield required("spec.usages")
    for index, usage in enumerate(usages):
        yield from one_of(usage, _USAGES, f"spec.usages[{index}]")
        if usage in usages[:index]:
            yield duplicate(f"spec.usages[{index}]", usage)
    yield from _signer_name(spec["signerName"], "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _LEAST_SECONDS:
        said = "may not specify a duration less than 600 seconds (10 minutes)"
        yield invalid("spec.expirationSeconds", seconds, said)


def _wrong_request(pem: bytes) -> str:
    """What is wrong with it; "" when it is a request whose signature holds."""
    kind = _PEM_TYPE.search(pem)
    if kind is None or kind[1] != b"CERTIFICATE REQUEST":
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_pem_x509_csr(pem)
        valid = request.is_signature_valid
    except InvalidSignature:
        valid = False
    except (ValueError, UnsupportedAlgorithm):
        return "x509: malformed certificate request"
    if valid:
        return ""
    rsa_key = isinstance(request.public_key(), rsa.RSAPublicKey)
    return "crypto/rsa: verification error" if rsa_key else "x509: ECDSA verification failure"


def _signer_name(name: str, path: str) -> Errors:
    if not name:
        yield required(path)
        return
    segments = name.split("/")
    if len(segments) != 2:
        said = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        yield invalid(path, name, said)
        return
    domain, rest = segments
    if len(domain) > _LONGEST_DOMAIN:
        yield too_long(path, _LONGEST_DOMAIN)
    labels = domain.split(".")
    wrong = next((label for label in labels if dns_label(label)), None)
    if wrong is not None:
        yield from (invalid(path, domain, f"validating label {go_quote(wrong)}: {s}") for s in dns_label(wrong))
    if len(labels) < 2:
        yield invalid(path, domain, "should be a domain with at least two segments separated by dots")
    wrong = next((label for label in rest.split(".") if dns_subdomain(label)), None)
    if wrong is not None:
        yield from (invalid(path, rest, f"validating label {go_quote(wrong)}: {s}") for s in dns_subdomain(wrong))


def _conditions(obj: Object) -> list[dict[str, Any]]:
    return (obj.get("status") or {}).get("conditions") or []


def _of_type(obj: Object, type_: str) -> list[dict[str, Any]]:
    return [condition for condition in _conditions(obj) if condition["type"] == type_]


def _validate_conditions(obj: Object) -> Errors:
    seen: set[str] = set()
    for index, condition in enumerate(_conditions(obj)):
        path, type_, status = f"status.conditions[{index}]", condition["type"], condition["status"]
        if not type_:
            yield required(f"{path}.type")
        allowed = ("True",) if type_ in (*_DECISIONS, FAILED) else ("False", "True", "Unknown")
        if not status:
            yield required(f"{path}.status")
        elif status not in allowed:
            yield unsupported(f"{path}.status", status, allowed)
        if type_ in _DECISIONS and seen & (set(_DECISIONS) - {type_}):
            yield invalid(f"{path}.type", type_, "Approved and Denied conditions are mutually exclusive")
        if type_ in seen:
            yield duplicate(f"{path}.type", type_)
        seen.add(type_)


def _kept(new: Object, old: Object) -> Errors:
    for type_ in (*_DECISIONS, FAILED):
        if len(_of_type(new, type_)) < len(_of_type(old, type_)):
            yield forbidden("status.conditions", f"updates may not remove a condition of type {go_quote(type_)}")


def validate_approval(new: Object, old: Object) -> Errors:
    yield from _validate_conditions(new)
    yield from _kept(new, old)


def validate_status(new: Object, old: Object) -> Errors:
    yield from _validate_conditions(new)
    yield from _kept(new, old)
    for type_ in _DECISIONS:
        before, after = _of_type(old, type_), _of_type(new, type_)
        if len(after) > len(before):
            yield forbidden("status.conditions", f"updates may not add a condition of type {go_quote(type_)}")
        elif len(after) == len(before) and after != before:
            yield forbidden("status.conditions", f"updates may not modify a condition of type {go_quote(type_)}")
    issued, was = (one.get("status", {}).get("certificate", "") for one in (new, old))
    if issued == was:
        return
    if was:
        yield forbidden("status.certificate", "updates may not modify existing certificate content")
    wrong = _wrong_certificate(base64.b64decode(issued)) if issued else ""
    if wrong:
        yield invalid("status.certificate", "<certificate data>", wrong)


def _wrong_certificate(pem: bytes) -> str:
    kinds = _PEM_TYPE.findall(pem)
    if not kinds:
        return "must contain one or more CERTIFICATE PEM blocks"
    other = next((kind for kind in kinds if kind != b"CERTIFICATE"), None)
    if other is not None:
        return f"only CERTIFICATE PEM blocks are allowed, found {go_quote(other.decode())}"
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        return "x509: malformed certificate"
    return ""
