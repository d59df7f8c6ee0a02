"""Bytes to plain data: JSON with duplicate detection, YAML 1.1 as Kubernetes reads it. Both are safe on hostile input.

JSON errors are worded as Go's. YAML keeps what looks like a date as text, refuses aliases (a small file of nested
aliases stands for gigabytes) and turns keys into text, as the conversion to JSON on the real server does.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson
import yaml

MAX_BYTES = 3 * 1024 * 1024
_MAX_DEPTH = 150
"""Deeper than any real object, shallow enough for recursive walks."""
_MAX_NODES = 50_000
"""Each value of a YAML text costs up to 25 µs, so three megabytes of them half a minute."""
_MERGE_KEY_COST = 20


class DecodeError(ValueError):
    """The body cannot be read, or is no such object; the message is the API server's (a 400)."""


def load_json(body: bytes, find_duplicates: bool = False) -> tuple[Any, list[str]]:
    """The document, and the paths of keys that occur twice (`data.a`; the last value counts). Raises DecodeError."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise DecodeError(_syntax_error(body)) from None
    _check_depth(data, body)
    return data, _duplicates(body) if find_duplicates and not _surely_once(body, data) else []


def decode_yaml(text: str | bytes, *, strict: bool = False) -> Any:
    """The first document in `text`, which a stranger wrote. With `strict` a key set twice is an error, else the last
    one counts, as in kubectl. Raises DecodeError."""
    found, data = _read_as_json(text, strict=strict)
    if found:
        return data
    documents = decode_yaml_documents(text, strict=strict, most=_MAX_NODES)
    return documents[0] if documents else None


def _read_as_json(text: str | bytes, *, strict: bool) -> tuple[bool, Any]:
    """What is called YAML is mostly JSON (kubectl and helm write it when they apply), read hundreds of times faster."""
    body = text.encode() if isinstance(text, str) else text
    if body.lstrip()[:1] != b"{" or len(body) > MAX_BYTES:
        return False, None
    try:
        data, duplicates = load_json(body, find_duplicates=strict)
    except ValueError:
        return False, None
    return not duplicates, _as_json(data)


def decode_yaml_documents(text: str | bytes, *, strict: bool = False, most: int = 0) -> list[Any]:
    """All documents of a stream, without the empty ones; `most` limits their values. Raises DecodeError."""
    if len(text) > MAX_BYTES:
        raise DecodeError(f"yaml: document is larger than {MAX_BYTES} bytes")
    try:
        _check_events(text, most)
        documents = [
            _as_json(document) for document in yaml.load_all(text, Loader=_StrictLoader if strict else _Loader)
        ]
    except yaml.MarkedYAMLError as error:
        raise DecodeError(f"error converting YAML to JSON: yaml: {_where(error)}{error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise DecodeError(f"error converting YAML to JSON: yaml: {error}") from None
    return [document for document in documents if document is not None]


def _where(error: yaml.MarkedYAMLError) -> str:
    """The line as Go's reader counts: from nought, but from one for what the scanner stumbles over."""
    for mark in (error.context_mark, error.problem_mark):
        if mark is not None and mark.line:
            return f"line {mark.line + isinstance(error, yaml.scanner.ScannerError)}: "
    return ""


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # libyaml's loader is ten times faster, but not built everywhere
    """YAML 1.1 without timestamps."""

    strict = False

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        self.flatten_mapping(node)
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            value = self.construct_object(key_node, deep=True)
            if isinstance(value, list | dict):
                raise yaml.constructor.ConstructorError(None, None, "invalid map key", key_node.start_mark)
            key = _key(value)
            if self.strict and key in mapping:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f'unmarshal errors:\n  line {line}: key "{key}" already set in map')
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping

    def construct_yaml_map(self, node: yaml.MappingNode) -> dict[str, Any]:
        return self.construct_mapping(node)


_REPLACED = {f"tag:yaml.org,2002:{tag}" for tag in ("timestamp", "int", "float", "value")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# As Kubernetes' reader has it: `y` and `n` are booleans, 1e3 is a number, 22:22 and = are texts.
for _tag, _pattern, _first in (
    ("bool", r"y|Y|n|N", "yYnN"),
    ("int", r"[-+]?(?:0b[01_]+|0[xX][0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _construct_bool(loader: Any, node: yaml.ScalarNode) -> bool:
    return str(node.value).lower() in ("y", "yes", "true", "on")


_Loader.add_constructor("tag:yaml.org,2002:bool", _construct_bool)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_yaml_map)


class _StrictLoader(_Loader):
    strict = True


def implicit_resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """First letter -> what a plain scalar may be beside text, as it is read here."""
    return dict(_Loader.yaml_implicit_resolvers)


def _check_events(text: str | bytes, most: int) -> None:
    """Refuses aliases and depth before anything recursive sees the document: libyaml's composer would overrun the
    C stack."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.NodeEvent):
            merges = isinstance(event, yaml.ScalarEvent) and event.value == "<<"
            nodes += _MERGE_KEY_COST if merges else 1
            if most and nodes > most:
                raise yaml.YAMLError(f"document has more than {most} values")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise yaml.YAMLError("exceeded max depth")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise yaml.YAMLError(f"line {line}: aliases are not accepted")


def _as_json(value: Any) -> Any:
    match value:
        case dict():
            return {key: _as_json(item) for key, item in value.items()}
        case list():
            return [_as_json(item) for item in value]
        case float() if not math.isfinite(value):
            raise yaml.YAMLError(f"unsupported value: {value}")
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case int() if not -(2**63) <= value < 2**64:
            return float(value)
        case bytes():
            return value.decode(errors="replace")
        case set() | tuple():
            raise yaml.YAMLError(f"unsupported type: {type(value).__name__}")
        case _:
            return value


def _key(key: Any) -> str:
    match key:
        case None:
            return "null"
        case bool():
            return "true" if key else "false"
        case float() if key.is_integer():
            return str(int(key))
        case _:
            return str(key)


def _check_depth(data: Any, body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= _MAX_DEPTH:
        return
    level = [data]
    for _ in range(_MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise DecodeError("json: exceeded max depth")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [child for child in value.values() if isinstance(child, dict | list)]
    return [child for child in value if isinstance(child, dict | list)] if isinstance(value, list) else []


def _surely_once(body: bytes, data: Any) -> bool:
    """Whether the text has no more keys than the document, so that none occurs twice; False when that is not seen at a
    glance. Both are counted in text, which is a walk in C: the document's own has each key once."""
    dense = body.translate(None, b" \t\r\n")
    try:
        return b'\\\\"' not in dense and _keys(dense) == _keys(orjson.dumps(data))
    except TypeError:
        return False


def _keys(text: bytes) -> int:
    """A key is what ends in `":`; an escaped quote ends none. Only where a key itself ends in a backslash are too few
    counted."""
    return text.count(b'":') - text.count(b'\\":')


class _Pairs(list[tuple[str, Any]]):
    """An object with a key that occurs twice, kept as it was written."""


def _duplicates(body: bytes) -> list[str]:
    repeated = False

    def collect(pairs: list[tuple[str, Any]]) -> Any:
        nonlocal repeated
        repeated = repeated or len({key for key, _ in pairs}) != len(pairs)
        return _Pairs(pairs)

    document = json.loads(body, object_pairs_hook=collect, parse_int=str, parse_float=str)
    found: list[str] = []
    if repeated:
        _walk_duplicates(document, "", found)
    return found


def _walk_duplicates(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            here = f"{path}.{key}" if path else key
            if key in seen and here not in found:
                found.append(here)
            seen.add(key)
            _walk_duplicates(item, here, found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _walk_duplicates(item, f"{path}[{index}]", found)


def _syntax_error(body: bytes) -> str:
    """Where Go's scanner would stop, in its words."""
    text = body.decode(errors="replace")
    if not text.strip():
        return "unexpected end of JSON input"
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return _go_words(text, error)
    except (ValueError, RecursionError):
        return "invalid character in JSON"
    return "invalid character in string literal"


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _go_words(text: str, error: json.JSONDecodeError) -> str:
    position = error.pos
    if error.msg.startswith("Unterminated string") or position >= len(text.rstrip()):
        return "unexpected end of JSON input"
    char = text[position]
    shown = "'\\''" if char == "'" else json.dumps(char)[1:-1].join("''")
    if char == '"':
        shown = "'\"'"
    contexts = {
        "Expecting value": "looking for beginning of value",
        "Extra data": "after top-level value",
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Expecting ':' delimiter": "after object key",
        "Invalid control character at": "in string literal",
    }
    context = contexts.get(error.msg, "")
    if error.msg == "Expecting ',' delimiter":
        inside = text[:position].count("{") - text[:position].count("}")
        context = "after object key:value pair" if inside else "after array element"
    return f"invalid character {shown} {context or 'in string escape code'}"
