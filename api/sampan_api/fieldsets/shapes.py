"""What server-side apply needs of a model: where a value has parts of its own, and where it is owned as one.

Derived from the same field tables as strategic merge and decoding, once per model.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import cache, cached_property
from typing import Any

from sampan_api.fields import Field, Model, fields
from sampan_api.fieldsets.keys import Keys, key_of_scalar


class Form(Enum):
    LEAF = auto()
    """One value: a scalar, an atomic list, map or struct."""
    STRUCT = auto()
    MAP = auto()
    KEYED = auto()
    """A list whose items are told apart by some of their fields."""
    SET = auto()
    """A list of scalars, each at most once."""


class Shape:
    """`element` of KEYED, SET and MAP; `parts` of a STRUCT: JSON name → (key in a set, shape). A part that is missing
    there is nobody's."""

    def __init__(
        self, form: Form, *, element: Shape | None = None, keys: Keys | None = None, model: type[Model] | None = None
    ) -> None:
        self.form = form
        self._keys = keys
        self._element = element
        self._model = model

    @cached_property
    def parts(self) -> dict[str, tuple[str, Shape]]:
        # When first asked for, because a message may hold itself.
        table = fields(self._model) if self._model is not None else {}
        return {name: (f"f:{name}", field_shape(field)) for name, field in table.items()}

    @property
    def element(self) -> Shape:
        """The scalars of a SET are leaves."""
        return self._element or LEAF

    @property
    def key_of(self) -> Callable[[Any], str]:
        """How an item of a KEYED list or a SET is named. Raises PathError when called."""
        return self._keys.of if self._keys is not None else key_of_scalar


LEAF = Shape(Form.LEAF)
_SET = Shape(Form.SET)
_NOBODYS = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
)


@cache
def shape_of(model: type[Model]) -> Shape:
    """The shape of a whole object of this kind. Its identity, and what the server writes, is nobody's."""
    root = Shape(Form.STRUCT, model=model)
    metadata = Shape(Form.STRUCT, model=fields(model)["metadata"].message)
    for name in _NOBODYS:
        del metadata.parts[name]
    for name in ("kind", "apiVersion"):
        del root.parts[name]
    root.parts["metadata"] = ("f:metadata", metadata)
    return root


@cache
def _struct(model: type[Model]) -> Shape:
    return Shape(Form.STRUCT, model=model)


def field_shape(field: Field) -> Shape:
    match field.container:
        case "list":
            return _list(field)
        case "map":
            return LEAF if field.map_type == "atomic" else Shape(Form.MAP, element=_message(field.message, ""))
    return _message(field.message, field.map_type)


def _message(model: type[Model] | None, map_type: str) -> Shape:
    """What a field says of its struct counts more than what the struct says of itself."""
    if model is None or (map_type or model.MAP_TYPE) == "atomic":
        return LEAF
    return _struct(model)


def _list(field: Field) -> Shape:
    if field.list_type == "set":
        return _SET
    if field.list_type != "map" or field.message is None:
        return LEAF
    table = fields(field.message)
    # Sorted, because FieldsV1 spells them so; a key that an item leaves out counts as its default.
    keys = Keys({name: table[name].default for name in sorted(field.list_map_keys)})
    return Shape(Form.KEYED, element=_message(field.message, ""), keys=keys)
