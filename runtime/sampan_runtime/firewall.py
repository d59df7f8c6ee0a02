"""Letting the pod network through firewalls that others made.

Where a foreign base chain on "forward" drops (Docker's, ufw's), an accept in a chain of our own has no effect: every
base chain of a hook has to let a packet pass. So marked accept rules go to the front of DOCKER-USER, which Docker keeps
for this, or else of the dropping chain itself. The mark, a comment, is how they are found again.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from sampan_runtime.nat import Command, NatError

_FAMILIES = ("ip", "inet")
_DOCKER_USER = "DOCKER-USER"


@dataclass(frozen=True, slots=True)
class Chain:
    family: str
    table: str
    name: str


def list_ruleset() -> list[Command]:
    """Of the namespace we are in. Blocks."""
    try:
        done = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NatError("nft is not installed (Debian package nftables)") from error
    if done.returncode:
        raise NatError(f"nft: {done.stderr.strip()[:500]}")
    objects: list[Command] = json.loads(done.stdout)["nftables"]
    return objects


def dropping_chains(ruleset: Iterable[Command]) -> list[Chain]:
    chains = [entry["chain"] for entry in ruleset if "chain" in entry]
    found = []
    for chain in chains:
        if chain["family"] in _FAMILIES and chain.get("hook") == "forward" and chain.get("policy") == "drop":
            docker = any(_key(other) == (chain["family"], chain["table"], _DOCKER_USER) for other in chains)
            found.append(Chain(chain["family"], chain["table"], _DOCKER_USER if docker else chain["name"]))
    return list(dict.fromkeys(found))


def plan(ruleset: list[Command], comment: str, networks: Iterable[IPv4Network]) -> list[Command]:
    """Our rules of earlier runs go away in the same transaction, so this is idempotent."""
    commands = removal(ruleset, comment)
    for chain in dropping_chains(ruleset):
        for network in networks:
            commands += [_accept(chain, field, network, comment) for field in ("saddr", "daddr")]
    return commands


def removal(ruleset: Iterable[Command], comment: str) -> list[Command]:
    rules = [entry["rule"] for entry in ruleset if "rule" in entry]
    names = ("family", "table", "chain", "handle")
    return [
        {"delete": {"rule": {name: rule[name] for name in names}}} for rule in rules if rule.get("comment") == comment
    ]


def _accept(chain: Chain, field: str, network: IPv4Network, comment: str) -> Command:
    prefix: Any = {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
    match = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": field}}, "right": prefix}}
    rule = {"family": chain.family, "table": chain.table, "chain": chain.name, "comment": comment}
    return {"insert": {"rule": {**rule, "expr": [match, {"accept": None}]}}}


def _key(chain: Command) -> tuple[str, str, str]:
    return chain["family"], chain["table"], chain["name"]
