"""Where the API server is and who we are: a kubeconfig, read without PyYAML when it is as simple as ours.

Order: `--kubeconfig`, `$KUBECONFIG` (the first file that exists), the local cluster's admin kubeconfig.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan_cli.errors import CliError

DEFAULT_SERVER = "http://localhost:8080"


@dataclass(frozen=True)
class Access:
    server: str = DEFAULT_SERVER
    namespace: str = "default"
    ca_pem: str = ""
    certificate_pem: bytes = b""
    key_pem: bytes = b""
    token: str = ""
    verify: bool = True


def find(flag: str, cluster: str) -> Path | None:
    if flag:
        if not Path(flag).exists():
            raise CliError(f"error: stat {flag}: no such file or directory")
        return Path(flag)
    for name in os.environ.get("KUBECONFIG", "").split(":"):
        if name and Path(name).exists():
            return Path(name)
    from sampan_cli.cluster.settings import kubeconfig_of

    path = kubeconfig_of(cluster)
    try:
        return path if path.exists() else None
    except PermissionError:
        return path


def load(path: Path, context: str = "") -> Access:
    try:
        data = parse(path.read_text())
    except PermissionError as error:
        raise CliError(f"error: {path}: permission denied (the admin's kubeconfig; try sudo)") from error
    wanted = context or data.get("current-context") or ""
    chosen = _named(data.get("contexts"), wanted, "context")
    if context and not chosen:
        raise CliError(f'error: context "{context}" does not exist')
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


def _material(entry: dict[str, Any], field: str, path: Path) -> bytes:
    """Inline base64 in `<field>-data`, else the file that `<field>` names, relative to the kubeconfig."""
    inline = entry.get(f"{field}-data")
    if inline:
        return base64.b64decode(inline)
    return (path.parent / entry[field]).read_bytes() if entry.get(field) else b""


def _token_file(user: dict[str, Any]) -> str:
    name = user.get("tokenFile")
    return Path(name).read_text().strip() if name else ""


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
