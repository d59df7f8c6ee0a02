"""A client of the OCI distribution protocol, as much of it as a pull needs (distribution spec, "Pull").

It blocks, so it runs in a thread. Content is believed only if its digest is right; credentials are sent only to the
registry and the token server that it names, never to where a blob is redirected.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from sampan_runtime.images.config import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX,
    MANIFEST,
    Descriptor,
    choose_platform,
    digest_of,
    load_object,
    parse_manifest,
)
from sampan_runtime.images.errors import BadImage, ImageNotFound, RegistryError
from sampan_runtime.images.reference import Reference
from sampan_runtime.images.store import METADATA_LIMIT, ImageStore, StoredImage

_ACCEPT = ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_HOSTS = {"docker.io": "registry-1.docker.io"}
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str = ""
    password: str = ""
    encoded: str = ""
    """base64 of "user:password", as in Docker's configuration file."""
    identity_token: str = ""
    registry_token: str = ""

    def basic(self) -> str:
        if self.encoded:
            try:
                base64.b64decode(self.encoded, validate=True)
            except binascii.Error as error:
                raise RegistryError("credentials: auth is not base64") from error
            return self.encoded
        if not self.username:
            return ""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def pull(store: ImageStore, reference: Reference, credentials: Credentials, timeout: float) -> StoredImage:
    """`timeout` is for each wait on the network, not for the whole."""
    session = _Session(reference, credentials, timeout)
    data = session.manifest(reference.digest or reference.tag)
    if reference.digest and digest_of(data) != reference.digest:
        raise BadImage(f"{reference}: the registry sent other content than asked for")
    if "manifests" in load_object(data, "manifest"):
        data = session.manifest(choose_platform(data).digest)
    manifest = parse_manifest(data)
    for blob in (manifest.config, *manifest.layers):
        session.copy_blob(store, blob)
    return store.add(store.put_bytes(data), [reference])


class _Session:
    def __init__(self, reference: Reference, credentials: Credentials, timeout: float) -> None:
        host = reference.domain.rpartition(":")[0] if ":" in reference.domain else reference.domain
        scheme = "http" if host in _LOCAL else "https"
        self._base = f"{scheme}://{_HOSTS.get(reference.domain, reference.domain)}/v2/{reference.path}"
        self._reference = reference
        self._credentials = credentials
        self._timeout = timeout
        self._authorization = f"Bearer {credentials.registry_token}" if credentials.registry_token else ""

    def manifest(self, name: str) -> bytes:
        with self._get(f"{self._base}/manifests/{name}", {"Accept": _ACCEPT}) as response:
            data = response.read(METADATA_LIMIT)
        if name.startswith("sha256:") and digest_of(data) != name:
            raise BadImage(f"{self._reference}: manifest {name} has another digest")
        return data

    def copy_blob(self, store: ImageStore, blob: Descriptor) -> None:
        if store.blob_path(blob.digest).exists():
            return
        try:
            with self._get(f"{self._base}/blobs/{blob.digest}", {}) as response:
                store.put_stream(response, blob.digest, blob.size or METADATA_LIMIT)
        except (TimeoutError, http.client.HTTPException) as error:
            raise RegistryError(f"failed to pull {self._reference}: {blob.digest}: {error}") from error

    def _get(self, url: str, headers: Mapping[str, str]) -> IO[bytes]:
        try:
            return self._open(url, headers)
        except urllib.error.HTTPError as error:
            if error.code != 401 or not self._authorise(error.headers.get("WWW-Authenticate", "")):
                raise self._failure(error, url) from error
        try:
            return self._open(url, headers)
        except urllib.error.HTTPError as error:
            raise self._failure(error, url) from error

    def _open(self, url: str, headers: Mapping[str, str]) -> IO[bytes]:
        request = urllib.request.Request(url, headers={"User-Agent": "sampan", **headers})
        if self._authorization:
            # Unredirected: a blob's storage elsewhere must not see it.
            request.add_unredirected_header("Authorization", self._authorization)
        return self._send(request)

    def _send(self, request: urllib.request.Request) -> IO[bytes]:
        try:
            response: IO[bytes] = urllib.request.urlopen(request, timeout=self._timeout)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError as error:
            host = urllib.parse.urlsplit(request.full_url).netloc
            raise RegistryError(f"failed to pull {self._reference}: {host}: {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise RegistryError(f"failed to pull {self._reference}: {error}") from error
        return response

    def _authorise(self, challenge: str) -> bool:
        """Answers the registry's challenge; False when there is nothing left to try."""
        kind, _, rest = challenge.partition(" ")
        basic = self._credentials.basic()
        before = self._authorization
        if kind.lower() == "basic" and basic:
            self._authorization = f"Basic {basic}"
        elif kind.lower() == "bearer":
            self._authorization = f"Bearer {self._token(dict(_CHALLENGE.findall(rest)), basic)}"
        return self._authorization != before

    def _token(self, challenge: Mapping[str, str], basic: str) -> str:
        realm = challenge.get("realm", "")
        if urllib.parse.urlsplit(realm).scheme not in ("http", "https"):
            raise RegistryError(f"{self._reference}: the registry names no token server")
        scope = challenge.get("scope", f"repository:{self._reference.path}:pull")
        fields = {"service": challenge.get("service", ""), "scope": scope}
        body = None
        headers = {"User-Agent": "sampan"}
        if self._credentials.identity_token:
            grant = {"grant_type": "refresh_token", "refresh_token": self._credentials.identity_token}
            body = urllib.parse.urlencode({**fields, **grant, "client_id": "sampan"}).encode()
            url = realm
        else:
            url = f"{realm}?{urllib.parse.urlencode(fields)}"
        request = urllib.request.Request(url, data=body, headers=headers)
        if basic and body is None:
            request.add_unredirected_header("Authorization", f"Basic {basic}")
        try:
            with self._send(request) as response:
                answer = load_object(response.read(METADATA_LIMIT), "token")
        except urllib.error.HTTPError as error:
            raise self._failure(error, realm) from error
        return str(answer.get("token") or answer.get("access_token") or "")

    def _failure(self, error: urllib.error.HTTPError, url: str) -> Exception:
        if error.code == 404:
            return ImageNotFound(f"failed to pull {self._reference}: not found")
        if error.code in (401, 403):
            text = "pull access denied, repository does not exist or may require authorization"
            return RegistryError(f"failed to pull {self._reference}: {text}")
        return RegistryError(f"failed to pull {self._reference}: {url}: HTTP {error.code} {_reason(error)}")


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        errors = json.loads(error.read(4096))["errors"]
        return str(errors[0].get("message") or errors[0].get("code"))
    except (ValueError, KeyError, TypeError, IndexError, OSError):
        return str(error.reason)
