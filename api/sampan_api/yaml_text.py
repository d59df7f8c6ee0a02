"""Plain data to YAML text as Kubernetes writes it: sorted keys, text of several lines as a block, double quotes where
quotes are needed. What a reader of YAML 1.1 would take for something else than text (`y`, `1e3`, a date) is quoted."""

from __future__ import annotations

from typing import Any

import yaml

from sampan_api.documents import implicit_resolvers

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TEXT = "tag:yaml.org,2002:str"


def dump_yaml(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=1 << 16))


class _Dumper(_Base):  # type: ignore[misc]  # libyaml's where it is built, as for reading
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {
    first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, ()), *implicit_resolvers().get(first, ())]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *implicit_resolvers()}
}


def _text(dumper: Any, value: str) -> yaml.Node:
    style = None
    if "\n" in value:
        style = "|"
    elif dumper.resolve(yaml.ScalarNode, value, (True, False)) != _TEXT:
        style = '"'
    node: yaml.Node = dumper.represent_scalar(_TEXT, value, style)
    return node


_Dumper.add_representer(str, _text)
