"""Objects from files, directories or standard input, in YAML or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sampan_api.documents import DecodeError, decode_yaml_documents

from sampan_cli.errors import CliError

SUFFIXES = (".json", ".yaml", ".yml")


def objects(names: list[str], recursive: bool = False, verb: str = "create") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object with the name of where it came from; a `List` is taken apart."""
    count = 0
    for source, text in _texts(names, recursive):
        for document in _documents(source, text):
            for obj in _unpacked(document):
                if not obj.get("kind"):
                    raise CliError(f"error: unable to decode \"{source}\": Object 'Kind' is missing in '{_short(obj)}'")
                if not obj.get("apiVersion"):
                    raise CliError(f'error: error validating "{source}": error validating data: apiVersion not set')
                if not isinstance(obj.setdefault("metadata", {}), dict):
                    raise CliError(f'error: error validating "{source}": metadata is not an object')
                count += 1
                yield source, obj
    if count == 0:
        raise CliError(f"error: no objects passed to {verb}")


def _short(obj: dict[str, Any]) -> str:
    return json.dumps(obj, separators=(",", ":"))


def _texts(names: list[str], recursive: bool) -> Iterator[tuple[str, str]]:
    for name in names:
        if name == "-":
            yield "STDIN", sys.stdin.read()
            continue
        path = Path(name)
        if not path.exists():
            raise CliError(f'error: the path "{name}" does not exist')
        if path.is_file():
            yield name, _text_of(path)
            continue
        found = path.rglob("*") if recursive else path.iterdir()
        files = sorted(f for f in found if f.suffix in SUFFIXES and f.is_file())
        if not files:
            raise CliError(f"error: error reading [{name}]: recognized file extensions are [{' '.join(SUFFIXES)}]")
        for file in files:
            yield str(file), _text_of(file)


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise CliError(f"error: open {path}: {str(error.strerror).lower()}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"error: error parsing {path}: invalid UTF-8") from error


def _documents(source: str, text: str) -> Iterator[dict[str, Any]]:
    try:
        documents = decode_yaml_documents(text)
    except DecodeError as error:
        raise CliError(f"error: error parsing {source}: {error}") from error
    for document in documents:
        if not isinstance(document, dict):
            raise CliError(f"error: error parsing {source}: the document is not an object")
        yield document


def _unpacked(document: dict[str, Any]) -> list[dict[str, Any]]:
    if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
        return [item for entry in document["items"] for item in _unpacked(entry)]
    return [document]
