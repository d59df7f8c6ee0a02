"""Answers as programs read them."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_data(value: Any, output: str, *, sort_keys: bool = False) -> None:
    """`output` is json or yaml."""
    if output == "json":
        print(json.dumps(value, indent=4, sort_keys=sort_keys, ensure_ascii=False))
        return
    from sampan_api.yaml_text import dump_yaml

    sys.stdout.write(dump_yaml(value))
