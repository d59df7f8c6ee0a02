"""Facts recorded from a real server: field tables (no sentences) and objects as it printed them."""

import json
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def recorded_fields():
    """message → {"home": module, "fields": {json name: [number, type, flags, facts]}}; "" is an embedded struct.
    Flags: p = pointer, o = omitempty."""
    return json.loads((DATA / "fields.json").read_text())


@pytest.fixture(scope="session")
def recorded_object():
    def read(name):
        return json.loads((DATA / "objects" / f"{name}.json").read_text())

    return read
