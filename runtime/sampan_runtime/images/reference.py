"""Image references as Docker reads them: "busybox" is docker.io/library/busybox:latest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sampan_runtime.images.errors import InvalidReference

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Reference:
    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        return f"{self.domain}/{self.path}"

    @property
    def tagged(self) -> str:
        return f"{self.repository}:{self.tag}" if self.tag else ""

    @property
    def digested(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else ""

    def __str__(self) -> str:
        return self.digested or self.tagged


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def parse(text: str) -> Reference:
    name, _, digest = text.partition("@")
    if digest and not is_digest(digest):
        raise InvalidReference(f"invalid reference format: {text!r}: invalid digest")
    if "@" in text and not digest:
        raise InvalidReference(f"invalid reference format: {text!r}")
    tag = ""
    if ":" in name.rpartition("/")[2]:
        name, _, tag = name.rpartition(":")
        if not _TAG.fullmatch(tag):
            raise InvalidReference(f"invalid reference format: {text!r}: invalid tag")
    domain, path = _split_domain(name)
    if not path or len(path) > 255 or not all(_COMPONENT.fullmatch(part) for part in path.split("/")):
        lower = "repository name must be lowercase" if path != path.lower() else "invalid repository name"
        raise InvalidReference(f"invalid reference format: {text!r}: {lower}")
    if not _DOMAIN.fullmatch(domain):
        raise InvalidReference(f"invalid reference format: {text!r}: invalid domain")
    return Reference(domain, path, tag or ("" if digest else "latest"), digest)


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name
    if first == "index.docker.io":
        first = "docker.io"
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest
