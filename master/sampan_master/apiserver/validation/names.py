"""The grammars of `sampan_api.names` as field errors, and the few rules that only the server needs."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sampan_api.names import (
    config_key,
    dns_label,
    dns_subdomain,
    env_name,
    label_value,
    port_name,
    qualified_name,
)

from sampan_master.apiserver.validation.fields import Errors, FieldError, invalid, required

NameRule = Callable[[str], list[str]]
"""A name -> the complaints about it, empty when it is fine."""


def object_name(value: str) -> list[str]:
    """The name of most objects: a subdomain, whose length is told in characters here."""
    return [said.replace("253 bytes", "253 characters") for said in dns_subdomain(value)]


def dns_label_name(value: str) -> list[str]:
    """A name that becomes one DNS label (namespaces): a dot is named as the mistake it is."""
    return ["must not contain dots"] if "." in value else dns_label(value)


def path_segment(value: str) -> list[str]:
    """A name that only has to fit into a URL path."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]


def ip_address(value: str) -> list[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def complain(path: str, value: Any, complaints: list[str]) -> list[FieldError]:
    return [invalid(path, value, said) for said in complaints]


def named(name: str, rule: NameRule, path: str, said: str = "") -> Errors:
    """A name that must be there and obey `rule`; `said`: how it is asked for."""
    if not name:
        yield required(path, said)
    else:
        yield from complain(path, name, rule(name))


def label_map(labels: Mapping[str, str], path: str) -> Errors:
    for key, value in labels.items():
        if not _is_label(key, value):
            yield from complain(path, key, qualified_name(key))
            yield from complain(path, value, label_value(value))


@lru_cache(maxsize=4096)
def _is_label(key: str, value: str) -> bool:
    """Labels are looked at with each write of an object, and thousands of objects have the same."""
    return not qualified_name(key) and not label_value(value)


__all__ = [
    "NameRule",
    "complain",
    "config_key",
    "dns_label",
    "dns_label_name",
    "dns_subdomain",
    "env_name",
    "ip_address",
    "label_map",
    "label_value",
    "named",
    "object_name",
    "path_segment",
    "port_name",
    "qualified_name",
]
