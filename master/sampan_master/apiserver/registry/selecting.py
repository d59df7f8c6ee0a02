"""Which objects a list, watch or deletecollection is about: namespace, labels, fields, compiled to one test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sampan_api.errors import BadRequest
from sampan_api.meta import Object
from sampan_api.selectors import FieldSelector, LabelSelector, SelectorError, parse_fields, parse_labels

from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.validation.fields import go_quote
from sampan_master.storage import Entry

Matches = Callable[[Object], bool]
_BATCH = 64
_AT_ONCE = 0.01
"""Seconds of matching after which others are served."""


@dataclass(frozen=True, slots=True)
class Selected:
    """`matches` None: everything below the prefix. `name`: the one name asked for, if a selector says so.
    `node`: the one node asked for, by which watches of pods are indexed."""

    namespace: str | None
    matches: Matches | None
    name: str | None = None
    node: str | None = None

    def prefix(self, rt: ResourceType) -> str:
        """Where to look: below a prefix, or at the one key when namespace and name are both known."""
        if self.name and (not rt.namespaced or self.namespace):
            return rt.key(self.namespace or "", self.name)
        return rt.prefix(self.namespace)


async def chosen(selected: Selected, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Those that match. Many objects against a long selector take seconds, so others are served in between."""
    if selected.matches is None:
        return entries
    loop = asyncio.get_running_loop()
    found: list[Entry] = []
    rest_at = loop.time() + _AT_ONCE
    for start in range(0, len(entries), _BATCH):
        found += [entry for entry in entries[start : start + _BATCH] if selected.matches(entry.obj)]
        if loop.time() > rest_at:
            await asyncio.sleep(0)
            rest_at = loop.time() + _AT_ONCE
    return found


def select(rt: ResourceType, namespace: str | None, labels: str = "", fields: str = "", *, name: str = "") -> Selected:
    """`name`: the one that the path says. Raises BadRequest for a selector that cannot be parsed or contradicts the
    path, or a field that cannot be selected by."""
    if name and not fields:
        fields = f"metadata.name={name}"
    if not labels and not fields:
        return Selected(namespace, None)
    try:
        label_selector = parse_labels(labels)
        field_selector = parse_fields(fields)
    except SelectorError as error:
        raise BadRequest(str(error)) from error
    for requirement in field_selector.requirements:
        if not rt.selects(requirement.field):
            raise BadRequest(_not_supported(rt, requirement.field))
    if name and field_selector.exact("metadata.name") != name:
        raise BadRequest("fieldSelector metadata.name doesn't match requested name")
    within = field_selector.exact("metadata.namespace")
    if rt.namespaced and namespace is None and within:
        namespace = within
    return Selected(
        namespace,
        _test(rt, label_selector, field_selector),
        name=field_selector.exact("metadata.name") or None,
        node=field_selector.exact("spec.nodeName") or None,
    )


def _not_supported(rt: ResourceType, field: str) -> str:
    if not rt.field_selectors:
        return f'{go_quote(field)} is not a known field selector: only "metadata.name", "metadata.namespace"'
    if rt.group == "batch":
        return f"field label {go_quote(field)} not supported for batchv1.{rt.kind}"
    return f"field label not supported: {field}"


def _test(rt: ResourceType, labels: LabelSelector, fields: FieldSelector) -> Matches | None:
    if labels.empty and fields.empty:
        return None

    conditions = [(rt.reader(one.field), one.value, one.operator == "=") for one in fields.requirements]
    any_label = labels.empty

    def matches(obj: Object) -> bool:
        if not any_label and not labels.matches(obj["metadata"].get("labels")):
            return False
        return all((read(obj) == value) is equal for read, value, equal in conditions)

    return matches
