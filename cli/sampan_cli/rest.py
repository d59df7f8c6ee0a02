"""The API server over HTTPS: JSON in and out, errors as `ServerError`, no server at all as kubectl says it."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sampan_api import tls
from sampan_api.kubeconfig import Access, KubeconfigError

from sampan_cli.errors import CliError, ServerError
from sampan_cli.http1 import Answer, Connection, Disconnected, ProtocolError

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
AGENT = "sampan/0.1.0"
CONNECT_SECONDS = 30.0

Query = Mapping[str, str] | list[tuple[str, str]]


class Api:
    """One server. Keeps its connection; a dead kept one is replaced once, for requests that may be repeated."""

    def __init__(self, access: Access, timeout: float | None = None) -> None:
        self.access = access
        self.scheme, self.host, self.port, self.prefix = _parts(access.server)
        self.timeout = timeout
        try:
            self._context = tls.client_context(access) if self.scheme == "https" else None
        except KubeconfigError as error:
            raise CliError(f"error: {error}") from error
        self._kept: Connection | None = None
        self.warns = True
        """Whether the server's warnings are printed. Who reads all kinds to find one thing need not hear of each."""

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
        text = self._whole(method, self.target(path, query), headers, data)
        return json.loads(text) if text else {}

    def text(self, path: str, query: Query | None = None) -> str:
        """`path` is sent as it is, with a query if it has one of its own."""
        return self._whole("GET", self.prefix + path + _asked(query), {"Accept": "*/*"}).decode()

    @contextmanager
    def stream(self, path: str, query: Query | None = None, accept: str = JSON) -> Iterator[Answer]:
        """An answer that may never end (watch, log). It uses up its connection."""
        with self._reached():
            answer = self._send("GET", self.target(path, query), {"Accept": accept}, None)
            connection, self._kept = self._kept, None
            self._print_warnings(answer)
            if answer.status >= 300:
                raise _error(answer.status, answer.read())
            try:
                yield answer
            except ProtocolError as error:
                raise CliError(f"error: {error}") from error
            if connection:
                connection.close()

    def open_socket(self) -> socket.socket:
        """A fresh (TLS) connection, for protocols of its own."""
        # Bytes name a host as well as text, and do without the tables of `encodings.idna`.
        name: Any = self.host.encode("ascii") if self.host.isascii() else self.host
        try:
            plain = socket.create_connection((name, self.port), timeout=self.timeout or CONNECT_SECONDS)
        except socket.gaierror as error:
            raise _no_connection(f"dial tcp: lookup {self.host}: no such host") from error
        except ConnectionRefusedError as error:
            raise CliError(
                f"The connection to the server {self.host}:{self.port} was refused"
                " - did you specify the right host or port?"
            ) from error
        except TimeoutError as error:
            raise _no_connection(f"dial tcp {self.host}:{self.port}: i/o timeout") from error
        except OSError as error:
            raise _no_connection(f"dial tcp {self.host}:{self.port}: connect: {_said(error)}") from error
        plain.settimeout(self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._context:
            return plain
        with self._reached():
            return self._context.wrap_socket(plain, server_hostname=self.access.server_name or name)

    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access.token}"} if self.access.token else {}

    def target(self, path: str, query: Query | None) -> str:
        return self.prefix + _quoted(path, "/") + _asked(query)

    def _whole(self, method: str, target: str, headers: dict[str, str], data: bytes | None = None) -> bytes:
        with self._reached():
            answer = self._send(method, target, headers, data)
            text = answer.read()
        if answer.closes and self._kept is not None:
            self._kept.close()
            self._kept = None
        self._print_warnings(answer)
        if answer.status >= 300:
            raise _error(answer.status, text)
        return text

    def _send(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> Answer:
        host = f"[{self.host}]" if ":" in self.host else self.host
        everything = {"Host": f"{host}:{self.port}", **headers, **self.authorization(), "User-Agent": AGENT}
        reused = self._kept is not None
        connection = self._kept = self._kept or Connection(self.open_socket())
        try:
            return connection.ask(method, target, everything, body)
        except (ProtocolError, OSError) as error:
            connection.close()
            self._kept = None
            if reused and (method == "GET" or isinstance(error, Disconnected)):
                return self._send(method, target, headers, body)
            raise

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """What goes wrong on the connection, in kubectl's words."""
        try:
            yield
        except BrokenPipeError:
            raise  # of our own standard output
        except ssl.SSLError as error:
            raise _no_connection(tls.failure(error)) from error
        except TimeoutError as error:
            raise _no_connection(
                "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            ) from error
        except ConnectionError as error:
            raise _no_connection(f"read tcp {self.host}:{self.port}: {_said(error)}") from error
        except Disconnected as error:
            raise _no_connection(f"{error}{self._why_it_may_hang_up()}") from error
        except ProtocolError as error:
            raise _no_connection(str(error)) from error

    def _print_warnings(self, answer: Answer) -> None:
        for value in answer.headers.get("warning", []) if self.warns else ():
            quoted = value.partition('"')[2].rpartition('"')[0]
            print(f"Warning: {quoted.replace(chr(92) + chr(34), chr(34))}", file=sys.stderr)

    def _why_it_may_hang_up(self) -> str:
        """TLS 1.3 has shown the client's certificate by the time the server looks at it: no handshake fails."""
        if self.scheme == "http":
            return ": the server ended the connection without an answer; is its URL https://?"
        if self.access.certificate_pem:
            return (
                ": the server ended the connection without an answer; is the client certificate of this kubeconfig"
                " expired, or another cluster's?"
            )
        return ""


def _no_connection(reason: str) -> CliError:
    return CliError(f"Unable to connect to the server: {reason}")


def _said(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()


def _parts(server: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of the server's URL."""
    scheme, _, rest = server.partition("://") if "://" in server else ("http", "", server)
    authority, slash, path = rest.partition("/")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, "443" if scheme == "https" else "80"
    if scheme not in ("http", "https") or not host or not port.isdigit():
        raise CliError(f'error: "{server}" is not the URL of a server')
    return scheme, host.strip("[]"), int(port), (slash + path).rstrip("/")


def _asked(query: Query | None) -> str:
    pairs = query.items() if isinstance(query, Mapping) else query or ()
    asked = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)
    return f"?{asked}" if asked else ""


def _quoted(text: str, safe: str = "") -> str:
    if all(c.isalnum() or c in "-._~" or c in safe for c in text) and text.isascii():
        return text
    from urllib.parse import quote

    return quote(text, safe)


def _error(code: int, body: bytes) -> ServerError:
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = body.decode(errors="replace").strip()
        if code == 404:
            return ServerError(
                code, {"reason": "NotFound", "message": "the server could not find the requested resource"}
            )
        status = {"message": text or f"the server answered with code {code} and nothing else"}
    return ServerError(code, status)
