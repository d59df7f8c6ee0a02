"""Settings of the machine that clusters borrow: who changed what, so that the last to leave puts it back.

Two clusters may both need ip_forward; the value of before is kept once, in `/var/lib/sampan/machine.json`, with the
clusters that still need the change. Call with the lock `machine` held.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from sampan_cli.cluster.identity import boot_id, write_atomically
from sampan_cli.cluster.settings import STATE_ROOT


class Borrowed(TypedDict):
    before: str
    clusters: list[str]


class _State(TypedDict):
    boot: str
    settings: dict[str, Borrowed]


def _path() -> Path:
    return STATE_ROOT / "machine.json"


def _load() -> _State:
    empty: _State = {"boot": boot_id(), "settings": {}}
    try:
        state: _State = json.loads(_path().read_text())
    except FileNotFoundError:
        return empty
    return state if state["boot"] == empty["boot"] else empty


def _save(state: _State) -> None:
    if state["settings"]:
        write_atomically(_path(), json.dumps(state, indent=1) + "\n", durable=True)
    else:
        _path().unlink(missing_ok=True)


def borrow(cluster: str, name: str, before: str) -> None:
    """Remember, before changing it, that setting `name` was `before`; the first borrower's word counts."""
    state = _load()
    entry = state["settings"].setdefault(name, {"before": before, "clusters": []})
    if cluster not in entry["clusters"]:
        entry["clusters"].append(cluster)
    _save(state)


def borrowed() -> frozenset[str]:
    """The settings that some cluster has changed and not yet put back."""
    return frozenset(_load()["settings"])


def give_back(cluster: str) -> dict[str, str]:
    """The settings that nobody needs any more, with their values of before. Put them back, then `forget`."""
    unneeded = {}
    for name, entry in _load()["settings"].items():
        if [c for c in entry["clusters"] if c != cluster] == [] and cluster in entry["clusters"]:
            unneeded[name] = entry["before"]
    return unneeded


def forget(cluster: str) -> None:
    state = _load()
    for name, entry in list(state["settings"].items()):
        entry["clusters"] = [c for c in entry["clusters"] if c != cluster]
        if not entry["clusters"]:
            del state["settings"][name]
    _save(state)
