"""What is known of every field of every kind: the tables from which decoding, patching and the documents derive.

The classes in `sampan_api.models` declare it, one attribute per JSON field; `fields(model)` reads it back.
Decoding walks those tables itself and not through pydantic: the answers must be Go's, and fast.
"""

from __future__ import annotations

from sampan_api.decoding import Decoded, decode_json
from sampan_api.documents import DecodeError, decode_yaml, load_json
from sampan_api.fields import Model, fields
from sampan_api.scheme import UnknownKind, kinds, model_for

__all__ = [
    "DecodeError",
    "Decoded",
    "Model",
    "UnknownKind",
    "decode_json",
    "decode_yaml",
    "fields",
    "kinds",
    "load_json",
    "model_for",
]
