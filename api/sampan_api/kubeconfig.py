"""A kubeconfig, read: where an API server is, by what it is known, and who asks.

Read without PyYAML when it is as simple as generated ones are: a third of what a short command may take is at stake.
Nothing in a file is ignored in silence: what cannot be done (passwords, proxies) is an error that names it.

Files that are named (certificates, a token) are relative to the kubeconfig.
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sampan_api.exec_credential import ExecPlugin

DEFAULT_SERVER = "http://localhost:8080"
IN_CLUSTER = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds its service account's token and the cluster's CA."""

_NOT_DONE = {
    "cluster": ("proxy-url",),
    "user": ("auth-provider", "username", "password", "as", "as-uid", "as-groups", "as-user-extra"),
}


class KubeconfigError(Exception):
    """The file cannot be read, or asks for what cannot be done. Its cause, if any, is the operating system's error."""


class Access(NamedTuple):
    """Files and `plugin` are where token, certificate and key come from, for who runs so long that they are renewed
    (`identity.py`); `expires` is until when the plug-in's are good."""

    server: str = DEFAULT_SERVER
    namespace: str = "default"
    ca_pem: str = ""
    certificate_pem: bytes = b""
    key_pem: bytes = b""
    token: str = ""
    token_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    plugin: ExecPlugin | None = None
    expires: float | None = None
    verify: bool = True
    server_name: str = ""
    """The name in the server's certificate, if it is not the URL's host (`tls-server-name`)."""
    compress: bool = True


def load(path: str, context: str = "") -> Access:
    """Raises KubeconfigError. A file without a current context stands for the server at `DEFAULT_SERVER`."""
    data = _parsed(path)
    wanted = context or data.get("current-context") or ""
    chosen = _named(data, "context", wanted)
    if wanted and chosen is None:
        raise KubeconfigError(f"Error in configuration: context was not found for specified context: {wanted}")
    cluster, user = (_part(path, data, kind, chosen or {}, wanted) for kind in ("cluster", "user"))
    access = Access(
        server=cluster.get("server", DEFAULT_SERVER).rstrip("/"),
        namespace=(chosen or {}).get("namespace") or "default",
        ca_pem=_material(cluster, "certificate-authority", path).decode(),
        certificate_pem=_inline(user, "client-certificate", path),
        key_pem=_inline(user, "client-key", path),
        token=user.get("token") or "",
        token_file=_beside(path, user.get("tokenFile") or ""),
        certificate_file=_beside(path, _file(user, "client-certificate")),
        key_file=_beside(path, _file(user, "client-key")),
        plugin=_plugin(path, user, cluster),
        verify=not cluster.get("insecure-skip-tls-verify"),
        server_name=cluster.get("tls-server-name") or "",
        compress=not cluster.get("disable-compression"),
    )
    _check(access, path)
    return renewed(access, os.environ)


def renewed(access: Access, environment: Mapping[str, str]) -> Access:
    """With what its files and its plug-in say now; a plug-in comes after all else. Raises KubeconfigError."""
    if access.token_file:
        access = access._replace(token=read_token(access.token_file))
    if access.certificate_file:
        access = access._replace(certificate_pem=_read(access.certificate_file))
    if access.key_file:
        access = access._replace(key_pem=_read(access.key_file))
    if access.plugin is None:
        return access
    from sampan_api.exec_credential import credential

    found = credential(access.plugin, environment)
    access = access._replace(token=found.token, expires=found.expires)
    return access._replace(certificate_pem=found.certificate_pem, key_pem=found.key_pem)


def in_cluster(environment: Mapping[str, str], directory: str = IN_CLUSTER) -> Access | None:
    """What a pod's service account may use, or None outside of a cluster."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    token_file = f"{directory}/token"
    if not host or not port or not os.path.exists(token_file):
        return None
    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca_pem=_read(f"{directory}/ca.crt").decode(),
        token=read_token(token_file),
        token_file=token_file,
    )


def read_token(path: str) -> str:
    token = _read(path).decode(errors="replace").strip()
    if not token:
        raise KubeconfigError(f"{path}: there is no token in it")
    return token


def _parsed(path: str) -> dict[str, Any]:
    try:
        return parse(_read(path).decode())
    except (ValueError, RecursionError) as error:
        raise KubeconfigError(f'error loading config file "{path}": {error}') from error


def _named(data: dict[str, Any], kind: str, name: str) -> dict[str, Any] | None:
    for entry in data.get(f"{kind}s") or []:
        if entry.get("name") == name:
            return dict(entry.get(kind) or {})
    return None


def _part(path: str, data: dict[str, Any], kind: str, chosen: dict[str, Any], context: str) -> dict[str, Any]:
    """The cluster or the user that a context names."""
    name = chosen.get(kind) or ""
    found = _named(data, kind, name)
    if found is None and name:
        raise KubeconfigError(f'{kind} "{name}" was not found for context "{context}"')
    for field in _NOT_DONE[kind]:
        if (found or {}).get(field):
            way = "client certificates, tokens and exec are" if kind == "user" else "direct connections are"
            raise KubeconfigError(f'{path}: {kind} "{name}": "{field}" is not supported; {way}')
    return found or {}


def _check(access: Access, path: str) -> None:
    if access.ca_pem and not access.verify:
        raise KubeconfigError(f"{path}: certificate-authority and insecure-skip-tls-verify exclude each other")
    certificate, key = access.certificate_pem or access.certificate_file, access.key_pem or access.key_file
    if certificate and not key:
        raise KubeconfigError(f"{path}: client-certificate has no client-key beside it")
    if key and not certificate:
        raise KubeconfigError(f"{path}: client-key has no client-certificate beside it")


def _material(entry: dict[str, Any], field: str, path: str) -> bytes:
    """Inline base64 in `<field>-data`, else the file that `<field>` names."""
    file = _file(entry, field)
    return _read(_beside(path, file)) if file else _inline(entry, field, path)


def _inline(entry: dict[str, Any], field: str, path: str) -> bytes:
    try:
        return binascii.a2b_base64("".join((entry.get(f"{field}-data") or "").split()), strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise KubeconfigError(f"{path}: {field}-data: illegal base64 data") from error


def _file(entry: dict[str, Any], field: str) -> str:
    """The file that counts: none when the data stand in the kubeconfig itself."""
    return "" if entry.get(f"{field}-data") else entry.get(field) or ""


def _plugin(path: str, user: dict[str, Any], cluster: dict[str, Any]) -> ExecPlugin | None:
    """As in client-go, only for who has nothing else to show."""
    config = user.get("exec")
    if not config or any(user.get(f) for f in ("token", "tokenFile", "client-certificate", "client-certificate-data")):
        return None
    from sampan_api.exec_credential import plugin_of

    try:
        return plugin_of(os.path.dirname(path), config, cluster)
    except KubeconfigError as error:
        raise KubeconfigError(f"{path}: {error}") from error


def _beside(path: str, name: str) -> str:
    return os.path.join(os.path.dirname(path), name) if name else ""


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise KubeconfigError(f"open {path}: {str(error.strerror).lower()}") from error


def parse(text: str) -> dict[str, Any]:
    """Raises ValueError for what is no YAML, or no mapping."""
    try:
        return _parse_plain(text)
    except _NotPlain:
        from sampan_api.documents import decode_yaml

        data = decode_yaml(text)
        if data is not None and not isinstance(data, dict):
            raise ValueError("it is not a mapping") from None
        return data or {}


class _NotPlain(Exception):
    """Quotes, flow style, anchors, block scalars, comments: a case for the real parser."""


_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "{}": {}, "[]": []}


def _parse_plain(text: str) -> dict[str, Any]:
    lines = [line for line in text.splitlines() if line.strip() and line.strip() != "---"]
    value, rest = _mapping(lines, 0)
    if rest:
        raise _NotPlain
    return value


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _mapping(lines: list[str], indent: int) -> tuple[dict[str, Any], list[str]]:
    result: dict[str, Any] = {}
    while lines and _indent(lines[0]) == indent and not lines[0].lstrip().startswith("- "):
        key, colon, scalar = lines[0].strip().partition(":")
        if not colon or not key.replace("-", "").replace("_", "").isalnum():
            raise _NotPlain
        lines = lines[1:]
        if scalar.strip():
            result[key] = _scalar(scalar.strip())
        elif lines and lines[0].lstrip().startswith("- ") and _indent(lines[0]) >= indent:
            result[key], lines = _sequence(lines, _indent(lines[0]))
        elif lines and _indent(lines[0]) > indent:
            result[key], lines = _mapping(lines, _indent(lines[0]))
        else:
            result[key] = None
    return result, lines


def _sequence(lines: list[str], indent: int) -> tuple[list[Any], list[str]]:
    result = []
    while lines and _indent(lines[0]) == indent and lines[0].lstrip().startswith("- "):
        first = " " * (indent + 2) + lines[0].lstrip()[2:].lstrip()
        value, lines = _mapping([first, *lines[1:]], indent + 2)
        result.append(value)
    return result, lines


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 1 and text[0] == text[-1] == '"' and "\\" not in text and '"' not in text[1:-1]:
        return text[1:-1]
    if text[0] in "\"'{[&*!|>%@`#?" or ": " in text or " #" in text:
        raise _NotPlain
    return text
