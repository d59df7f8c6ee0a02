"""Where the API server is and who we are: a kubeconfig, read without PyYAML when it is as simple as ours.

Order: `--kubeconfig`, `$KUBECONFIG` (the first file that exists), the local cluster's admin kubeconfig.
"""

from __future__ import annotations

import binascii
import os
from typing import Any, NamedTuple

from sampan_cli.errors import CliError

STATE_ROOT = "/var/lib/sampan"
DEFAULT_SERVER = "http://localhost:8080"


class Access(NamedTuple):
    server: str = DEFAULT_SERVER
    namespace: str = "default"
    ca_pem: str = ""
    certificate_pem: bytes = b""
    key_pem: bytes = b""
    token: str = ""
    verify: bool = True


def find(flag: str, cluster: str) -> str:
    """The path, or nothing."""
    if flag:
        if not os.path.exists(flag):
            raise CliError(f"error: stat {flag}: no such file or directory")
        return flag
    for name in os.environ.get("KUBECONFIG", "").split(":"):
        if name and os.path.exists(name):
            return name
    path = local(cluster)
    try:
        os.stat(path)
    except PermissionError:
        return path
    except OSError:
        return ""
    return path


def local(cluster: str) -> str:
    """The admin kubeconfig of a cluster that `sampan up` made on this machine."""
    return f"{STATE_ROOT}/{cluster}/master/admin.kubeconfig"


def load(path: str, context: str = "") -> Access:
    data = parse(_read(path).decode())
    wanted = context or data.get("current-context") or ""
    chosen = _named(data.get("contexts"), wanted, "context")
    if context and not chosen:
        raise CliError(f"Error in configuration: context was not found for specified context: {context}")
    cluster = _named(data.get("clusters"), chosen.get("cluster", ""), "cluster")
    user = _named(data.get("users"), chosen.get("user", ""), "user")
    return Access(
        server=cluster.get("server", DEFAULT_SERVER).rstrip("/"),
        namespace=chosen.get("namespace") or "default",
        ca_pem=_material(cluster, "certificate-authority", path).decode(),
        certificate_pem=_material(user, "client-certificate", path),
        key_pem=_material(user, "client-key", path),
        token=user.get("token") or _token_file(user),
        verify=not cluster.get("insecure-skip-tls-verify"),
    )


def _named(entries: Any, name: str, kind: str) -> dict[str, Any]:
    for entry in entries or []:
        if entry.get("name") == name:
            return dict(entry.get(kind) or {})
    return {}


def _material(entry: dict[str, Any], field: str, path: str) -> bytes:
    """Inline base64 in `<field>-data`, else the file that `<field>` names, relative to the kubeconfig."""
    inline = entry.get(f"{field}-data")
    if inline:
        try:
            return binascii.a2b_base64(inline)
        except binascii.Error as error:
            raise CliError(f"error: {path}: {field}-data: illegal base64 data") from error
    return _read(os.path.join(os.path.dirname(path), entry[field])) if entry.get(field) else b""


def _token_file(user: dict[str, Any]) -> str:
    name = user.get("tokenFile")
    return _read(name).decode().strip() if name else ""


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except PermissionError as error:
        raise CliError(f"error: open {path}: permission denied (the cluster's admin is root: try sudo)") from error
    except OSError as error:
        raise CliError(f"error: open {path}: {str(error.strerror).lower()}") from error


def parse(text: str) -> dict[str, Any]:
    """PyYAML costs a third of the start-up budget, so the plain block style of generated kubeconfigs is read here."""
    try:
        return _parse_plain(text)
    except _NotPlain:
        from sampan_cli.manifests import load_yaml

        data = load_yaml(text)
        return data if isinstance(data, dict) else {}


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
