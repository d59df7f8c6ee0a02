"""TLS as a client of an API server: whom it trusts, what it shows, and what went wrong in the words of Go's tools."""

from __future__ import annotations

import os
import ssl

from sampan_api.kubeconfig import Access, KubeconfigError


def client_context(access: Access) -> ssl.SSLContext:
    """Raises KubeconfigError when a certificate or a key is none, or they are not of one pair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif access.ca_pem:
        try:
            context.load_verify_locations(cadata=access.ca_pem)
        except ssl.SSLError as error:
            raise KubeconfigError("unable to load root certificates: no valid certificate in it") from error
    else:
        context.load_default_certs()
    if access.certificate_pem:
        load_certificate(context, access)
    return context


def load_certificate(context: ssl.SSLContext, access: Access) -> None:
    """What new connections show. `ssl` takes key and certificate only as files; one in memory never touches a disk.
    Raises KubeconfigError."""
    fd = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(fd, access.certificate_pem.rstrip() + b"\n" + access.key_pem)
        context.load_cert_chain(f"/proc/self/fd/{fd}", password="")
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise KubeconfigError(f"tls: client certificate and key cannot be used: {reason}") from error
    finally:
        os.close(fd)


def failure(error: ssl.SSLError) -> str:
    """Why there is no connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_distrust(error)}"
    reason = error.reason or str(error)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "http: server gave HTTP response to HTTPS client"
    for head in ("TLSV13_ALERT_", "TLSV1_ALERT_", "SSLV3_ALERT_"):
        if reason.startswith(head):
            return f"remote error: tls: {reason.removeprefix(head).replace('_', ' ').lower()}"
    return f"tls: {reason.replace('_', ' ').lower()}"


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (18, 19, 20, 21):
        return "certificate signed by unknown authority"
    if error.verify_code in (9, 10):
        return "certificate has expired or is not yet valid"
    return error.verify_message
