"""Credentials by a program of the user's, as managed clusters have it (client.authentication.k8s.io, KEP-541).

The program is told in `KUBERNETES_EXEC_INFO` what is wanted and answers on its standard output with an ExecCredential:
a token, or a certificate and its key, and until when they are good. It gets no terminal: what asks questions fails.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any, NamedTuple

from sampan_api.clock import parse_time
from sampan_api.kubeconfig import KubeconfigError

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_SECONDS = 60.0


class ExecPlugin(NamedTuple):
    """`command` is a path or a name to be found in PATH. `cluster` is what it is told of the cluster, if anything."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    cluster: str = ""


class ExecCredential(NamedTuple):
    """`expires` in Unix seconds; None = until the server refuses it."""

    token: str = ""
    certificate_pem: bytes = b""
    key_pem: bytes = b""
    expires: float | None = None


def plugin_of(directory: str, config: Mapping[str, Any], cluster: Mapping[str, Any]) -> ExecPlugin:
    """What a user's `exec` says; a command with a slash is relative to the kubeconfig's directory. Raises
    KubeconfigError."""
    command, version = str(config.get("command") or ""), str(config.get("apiVersion") or "")
    if not command:
        raise KubeconfigError("exec.command: it must be specified")
    if version not in VERSIONS:
        raise KubeconfigError(f'exec.apiVersion: "{version}" is none of {", ".join(VERSIONS)}')
    mode = config.get("interactiveMode") or ("" if version == VERSIONS[0] else "IfAvailable")
    if mode not in ("Never", "IfAvailable"):
        said = "Always is not supported: nobody can be asked" if mode == "Always" else "it must be Never or IfAvailable"
        raise KubeconfigError(f"exec.interactiveMode: {said}")
    told = {name: value for name, value in cluster.items() if not name.endswith("certificate-authority")}
    return ExecPlugin(
        api_version=version,
        command=os.path.join(directory, command) if "/" in command else command,
        args=tuple(map(str, config.get("args") or ())),
        env=tuple((str(each["name"]), str(each.get("value", ""))) for each in config.get("env") or ()),
        hint=str(config.get("installHint") or ""),
        cluster=json.dumps(told) if config.get("provideClusterInfo") else "",
    )


def credential(plugin: ExecPlugin, environment: Mapping[str, str]) -> ExecCredential:
    """Runs the program, for a minute at most. Raises KubeconfigError."""
    program = shutil.which(plugin.command, path=environment.get("PATH"))
    if program is None:
        hint = f"\n{plugin.hint.strip()}" if plugin.hint else ""
        raise KubeconfigError(f"exec: executable {plugin.command} not found{hint}")
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster:
        spec["cluster"] = json.loads(plugin.cluster)
    asked = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}
    told = {**environment, **dict(plugin.env), "KUBERNETES_EXEC_INFO": json.dumps(asked)}
    try:
        done = subprocess.run(
            [program, *plugin.args], env=told, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise KubeconfigError(f"exec: {plugin.command} did not end within {_SECONDS:.0f} s") from error
    except OSError as error:
        raise KubeconfigError(f"exec: {plugin.command}: {str(error.strerror).lower()}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        last = f": {said[-1]}" if said else ""
        raise KubeconfigError(f"exec: executable {plugin.command} failed with exit code {done.returncode}{last}")
    return _answer(plugin, done.stdout)


def _answer(plugin: ExecPlugin, output: bytes) -> ExecCredential:
    try:
        answer = json.loads(output)
        version, status = answer["apiVersion"], answer.get("status") or {}
        kind = answer["kind"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KubeconfigError(f"exec: {plugin.command} answered with what is no ExecCredential") from error
    if version != plugin.api_version or kind != "ExecCredential":
        raise KubeconfigError(
            f"exec plugin is configured to use API version {plugin.api_version}, plugin returned version {version}"
        )
    token, certificate, key = (status.get(n) or "" for n in ("token", "clientCertificateData", "clientKeyData"))
    if bool(certificate) != bool(key):
        raise KubeconfigError("exec plugin returned only certificate or key, not both")
    if not token and not certificate:
        raise KubeconfigError("exec plugin didn't return a token or cert/key pair")
    expires = status.get("expirationTimestamp")
    try:
        return ExecCredential(token, certificate.encode(), key.encode(), parse_time(expires) if expires else None)
    except ValueError as error:
        raise KubeconfigError(f"exec: {plugin.command}: expirationTimestamp: {error}") from error
