"""Which texts may be names, label keys, label values and the like: each check returns what is wrong, empty if nothing.

The sentences are what Kubernetes answers word for word, because people and tools search for them. Callers put
them behind the field path of their own.
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"

_LABEL_RE = re.compile(_LABEL)
_SUBDOMAIN_RE = re.compile(_SUBDOMAIN)
_QUALIFIED_RE = re.compile(_QUALIFIED)
_LABEL_VALUE_RE = re.compile(_LABEL_VALUE)
_CONFIG_KEY_RE = re.compile(_CONFIG_KEY)
_PORT_NAME_RE = re.compile(r"[-a-z0-9]+")


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def _regex(message: str, pattern: str, *examples: str) -> str:
    shown = "',  or '".join(examples)
    return f"{message} (e.g. '{shown}', regex used for validation is '{pattern}')"


_LABEL_MESSAGE = _regex(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_MESSAGE = _regex(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_QUALIFIED_MESSAGE = _regex(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_LABEL_VALUE_MESSAGE = _regex(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_MESSAGE = _regex(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def dns_label(text: str) -> list[str]:
    """RFC 1123 label: container and namespace names."""
    return _check(text, 63, _LABEL_RE, _LABEL_MESSAGE)


def dns_subdomain(text: str) -> list[str]:
    """RFC 1123 subdomain: the names of most objects."""
    return _check(text, 253, _SUBDOMAIN_RE, _SUBDOMAIN_MESSAGE)


def qualified_name(text: str) -> list[str]:
    """`name` or `prefix/name`: keys of labels, annotations (lower-cased by the caller), taints, resources."""
    prefix, slash, name = text.partition("/")
    if "/" in name:
        message = "a qualified name " + _QUALIFIED_MESSAGE
        return [message + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    problems: list[str] = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        else:
            problems += ["prefix part " + problem for problem in dns_subdomain(prefix)]
    else:
        name = prefix
    if not name:
        problems.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        problems.append("name part " + _too_long(63))
    if not _QUALIFIED_RE.fullmatch(name):
        problems.append("name part " + _QUALIFIED_MESSAGE)
    return problems


def label_value(text: str) -> list[str]:
    return _check(text, 63, _LABEL_VALUE_RE, _LABEL_VALUE_MESSAGE)


def config_key(text: str) -> list[str]:
    """Keys of ConfigMap and Secret data, which become file names."""
    problems = _check(text, 253, _CONFIG_KEY_RE, _CONFIG_KEY_MESSAGE)
    if text == ".":
        problems.append("must not be '.'")
    elif text == "..":
        problems.append("must not be '..'")
    elif text.startswith(".."):
        problems.append("must not start with '..'")
    return problems


def env_name(text: str) -> list[str]:
    if text and all(" " <= char <= "~" and char != "=" for char in text):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def port_name(text: str) -> list[str]:
    """RFC 6335 service name, as used for named container ports."""
    problems: list[str] = []
    if len(text.encode()) > 15:
        problems.append("must be no more than 15 characters")
    if not _PORT_NAME_RE.fullmatch(text):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= char <= "z" for char in text):
        problems.append("must contain at least one letter (a-z)")
    if "--" in text:
        problems.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def _check(text: str, limit: int, pattern: re.Pattern[str], message: str) -> list[str]:
    problems = [_too_long(limit)] if len(text.encode()) > limit else []
    if not pattern.fullmatch(text):
        problems.append(message)
    return problems


def is_extended_resource(name: str) -> bool:
    """Whether it is somebody's own resource, not Kubernetes' (names without a slash, or of kubernetes.io)."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")
