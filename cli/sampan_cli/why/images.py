"""Images that a node does not get."""

from __future__ import annotations

from collections.abc import Iterable

from sampan_cli.why.facts import PodFacts, joined, latest, message
from sampan_cli.why.findings import Cause, Finding, Object

PULL_FAILED = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "SignatureValidationFailed")
REASONS = ("InvalidImageName", "ErrImageNeverPull", "ImageInspectError", *PULL_FAILED)

_KINDS = (
    (Cause.IMAGE_DENIED, ("denied", "unauthorized", "authorization failed", "forbidden")),
    (
        Cause.REGISTRY_UNREACHABLE,
        ("no such host", "name or service not known", "name resolution", "dial tcp", "connection refused", "timed out",
         "i/o timeout", "no route to host", "network is unreachable", "no address associated"),
    ),
    (Cause.IMAGE_NOT_FOUND, ("not found", "manifest unknown", "name unknown", "http 404")),
)  # fmt: skip
"""Looked for in this order: a registry that says "denied" often says, too, that there may be no such thing."""


def unavailable(facts: PodFacts, spec: Object, waiting: Object, who: str) -> Finding:
    """`waiting` is the container's state with one of `REASONS`."""
    image, why = str(spec.get("image", "")), str(waiting.get("message", ""))
    if waiting["reason"] == "InvalidImageName" or "invalid reference format" in why:
        text = f'{who} has an image name that is none: "{image}".'
        lower = f': did you mean "{image.lower()}"?' if "lowercase" in why else ""
        return Finding(
            Cause.IMAGE_NAME_INVALID, who, text, (why,), f"write it as registry/path:tag, in lower case{lower}"
        )
    close = _similar(facts.nodes, image)
    known = (f"images on the nodes with a similar name: {joined(close)}",) if close else ()
    meant = f'; did you mean "{close[0]}"?' if close else ""
    if waiting["reason"] == "ErrImageNeverPull":
        text = f'{who} may not pull its image "{image}" (imagePullPolicy Never), and its node does not have it.'
        fix = f"set imagePullPolicy to IfNotPresent, or load the image on the node{meant}"
        return Finding(Cause.IMAGE_NEVER_PULL, who, text, (why, *known), fix)
    why = message(latest(facts.events, "Failed", container=spec["name"], text="pull image")) or why
    cause = _cause(why.replace(image, ""))
    return Finding(cause, who, _text(cause, who, image), (why, *known), _fix(cause, image) + meant)


def _cause(why: str) -> Cause:
    lower = why.lower()
    return next((cause for cause, words in _KINDS if any(word in lower for word in words)), Cause.IMAGE_PULL)


def _text(cause: Cause, who: str, image: str) -> str:
    registry = registry_of(image)
    if cause is Cause.IMAGE_DENIED:
        return f'{who} gets no image: the registry {registry} does not give "{image}" to this pod (pull access denied).'
    if cause is Cause.IMAGE_NOT_FOUND:
        return f'{who} gets no image: the registry {registry} has no "{image}" (image not found).'
    if cause is Cause.REGISTRY_UNREACHABLE:
        return f'{who} gets no image: the registry {registry} of "{image}" cannot be reached from its node.'
    return f'{who} gets no image: pulling "{image}" fails.'


def _fix(cause: Cause, image: str) -> str:
    if cause is Cause.IMAGE_DENIED:
        return (
            "give the pod an imagePullSecret for that registry, or correct the name (who may not see it is told this)"
        )
    if cause is Cause.IMAGE_NOT_FOUND:
        return "correct the image's name or tag, or push it"
    if cause is Cause.REGISTRY_UNREACHABLE:
        return f"correct the registry's name ({registry_of(image)}), or the node's network and DNS"
    return "see what the registry answered"


def registry_of(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def _similar(nodes: Iterable[Object], image: str) -> list[str]:
    """Names of images on the nodes that look like this one, the closest first."""
    from difflib import SequenceMatcher

    there = {
        tag
        for node in nodes
        for each in (node.get("status") or {}).get("images") or []
        for tag in each.get("names") or []
        if "@" not in tag and tag != image
    }
    wanted = _short(image)
    ranked = sorted((-SequenceMatcher(None, wanted, _short(tag)).ratio(), tag) for tag in there)
    return [tag for score, tag in ranked if -score >= 0.6][:3]


def _short(image: str) -> str:
    return image.removeprefix("docker.io/").removeprefix("library/")
