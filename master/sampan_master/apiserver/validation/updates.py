"""What an update may not touch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sampan_master.apiserver.validation.fields import Errors, FieldError, invalid, quoted


def immutable(path: str, value: Any) -> FieldError:
    return invalid(path, value, "field is immutable")


def unchanged(new: Mapping[str, Any], old: Mapping[str, Any], names: Iterable[str], below: str = "") -> Errors:
    """The fields `names` of two objects, or of what stands at the path `below` in each."""
    for name in names:
        if new.get(name) != old.get(name):
            yield immutable(f"{below}.{name}" if below else name, new.get(name))


def differences(new: Mapping[str, Any], old: Mapping[str, Any], names: Iterable[str]) -> str:
    """Fields before and after, two lines each, for people."""
    return "".join(f"- {name}: {quoted(old.get(name))}\n+ {name}: {quoted(new.get(name))}\n" for name in names)
