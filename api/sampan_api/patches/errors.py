"""What is wrong with a patch."""

from __future__ import annotations

from typing import Any

from sampan_api.gotext import json_kind


class PatchError(Exception):
    """The patch cannot be applied. `message` is the API's and `code` its HTTP status: 400 unreadable, 413 too large,
    422 it does not fit the object, 500 it is no such patch. `detail`, which the exception prints, says what really went
    wrong where the message does not."""

    def __init__(self, message: str, *, code: int = 500, detail: str = "") -> None:
        super().__init__(detail or message)
        self.message = message
        self.code = code


def unreadable(patch: Any, wanted: str) -> PatchError:
    """For a patch that is not even of the right JSON type; `wanted` is what Go would read it into."""
    said = f"error decoding patch: json: cannot unmarshal {json_kind(patch)} into Go value of type {wanted}"
    return PatchError(said, code=400)
