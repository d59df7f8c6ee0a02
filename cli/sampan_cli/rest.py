"""HTTP to the API server with the standard library alone: JSON in and out, errors as `ServerError`."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sampan_cli.errors import CliError, ServerError
from sampan_cli.kubeconfig import Access

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
AGENT = "sampan/0.1.0"

Query = Mapping[str, str] | list[tuple[str, str]]


class Api:
    """One server. Keeps its connection; a dead kept one is replaced once, for requests that may be repeated."""

    def __init__(self, access: Access, timeout: float | None = None) -> None:
        self.access = access
        parts = urlsplit(access.server)
        self.host = parts.hostname or "localhost"
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.prefix = parts.path.rstrip("/")
        self.timeout = timeout
        self._context = _tls(access) if parts.scheme == "https" else None
        self._kept: http.client.HTTPConnection | None = None

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Any:
        """The decoded answer. Raises ServerError for what is not 2xx, CliError if there is no server."""
        headers = {"Accept": accept}
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            headers["Content-Type"] = content_type
        response = self._send(method, path, query, data, headers)
        text = response.read()
        if response.will_close:
            self._kept = None
        _print_warnings(response)
        if response.status >= 300:
            raise _error(response.status, text)
        return json.loads(text) if text else {}

    def text(self, path: str) -> str:
        response = self._send("GET", path, None, None, {"Accept": "*/*"})
        data = response.read()
        if response.status >= 300:
            raise _error(response.status, data)
        return data.decode()

    def stream(self, path: str, query: Query | None = None, accept: str = JSON) -> http.client.HTTPResponse:
        """An answer that may never end (watch, log); read it with `read1` or `lines`. It uses up its connection."""
        response = self._send("GET", path, query, None, {"Accept": accept})
        self._kept = None
        _print_warnings(response)
        if response.status >= 300:
            raise _error(response.status, response.read())
        return response

    def open_socket(self) -> socket.socket:
        """A fresh (TLS) connection, for protocols of its own."""
        try:
            plain = socket.create_connection((self.host, self.port), timeout=self.timeout)
        except OSError as error:
            raise self._unreachable(error) from error
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(plain, server_hostname=self.host) if self._context else plain

    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access.token}"} if self.access.token else {}

    def target(self, path: str, query: Query | None) -> str:
        pairs = list(query.items()) if isinstance(query, Mapping) else list(query or [])
        return self.prefix + quote(path) + (f"?{urlencode(pairs)}" if pairs else "")

    def _send(
        self, method: str, path: str, query: Query | None, body: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        target = self.target(path, query)
        everything = {**headers, **self.authorization(), "User-Agent": AGENT}
        reused = self._kept is not None
        connection = self._kept or self._connect()
        self._kept = connection
        try:
            connection.request(method, target, body, everything)
            return connection.getresponse()
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            self._kept = None
            if reused and (method == "GET" or isinstance(error, http.client.RemoteDisconnected)):
                return self._send(method, path, query, body, headers)
            raise self._unreachable(error) from error

    def _connect(self) -> http.client.HTTPConnection:
        if self._context:
            return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=self._context)
        return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)

    def _unreachable(self, error: Exception) -> CliError:
        where = f"{self.host}:{self.port}"
        if isinstance(error, ConnectionRefusedError):
            return CliError(
                f"The connection to the server {where} was refused - did you specify the right host or port?"
            )
        if isinstance(error, ssl.SSLError):
            return CliError(f"Unable to connect to the server: tls: {error.reason or error}")
        if isinstance(error, TimeoutError):
            return CliError(f"Unable to connect to the server: {where}: timed out waiting for an answer")
        return CliError(f"Unable to connect to the server: {where}: {str(error) or type(error).__name__}")


def lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Lines as they come, until the server ends the stream."""
    rest = b""
    while chunk := response.read1(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _tls(access: Access) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not access.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif access.ca_pem:
        context.load_verify_locations(cadata=access.ca_pem)
    else:
        context.load_default_certs()
    if access.certificate_pem:
        _load_certificate(context, access)
    return context


def _load_certificate(context: ssl.SSLContext, access: Access) -> None:
    """`ssl` takes key and certificate only as files; one in memory never touches a disk."""
    fd = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(fd, access.certificate_pem.rstrip() + b"\n" + access.key_pem)
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def _error(code: int, body: bytes) -> ServerError:
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = body.decode(errors="replace").strip()
        status = {"message": text or http.client.responses.get(code, str(code))}
    return ServerError(code, status)


def _print_warnings(response: http.client.HTTPResponse) -> None:
    for value in response.headers.get_all("Warning") or []:
        quoted = value.partition('"')[2].rpartition('"')[0]
        print(f"Warning: {quoted.replace(chr(92) + chr(34), chr(34))}", file=sys.stderr)
