"""Rules on the machine: our own nftables table for address translation, and marked accepts in foreign chains.

Where somebody else's chain on the forward hook drops (Docker's, ufw's), an accept in our own table has no effect: a
packet must pass every chain of the hook. So marked rules are put into that chain (or into DOCKER-USER, which Docker
keeps for this), and are found again by their comment.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from sampan_cli.cluster.plan import Plan
from sampan_cli.errors import ClusterError


def _nft(commands: list[dict[str, Any]]) -> None:
    document = json.dumps({"nftables": commands})
    done = subprocess.run(["nft", "-j", "-f", "-"], input=document, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"nft refused a rule: {done.stderr.strip()}")


def ruleset() -> list[dict[str, Any]]:
    done = subprocess.run(["nft", "-j", "-a", "list", "ruleset"], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"nft cannot list the machine's rules: {done.stderr.strip()}")
    entries: list[dict[str, Any]] = json.loads(done.stdout)["nftables"] if done.stdout.strip() else []
    return entries


def set_up(plan: Plan) -> None:
    """Idempotent: our table is replaced whole in one transaction, foreign rules are added only where missing."""
    table = {"family": "ip", "name": plan.nft_table}
    chain = {"family": "ip", "table": plan.nft_table, "name": "postrouting"}
    _nft(
        [
            {"add": {"table": table}},
            {"delete": {"table": table}},
            {"add": {"table": table}},
            {"add": {"chain": {**chain, "type": "nat", "hook": "postrouting", "prio": 100, "policy": "accept"}}},
            {
                "add": {
                    "rule": {
                        "family": "ip",
                        "table": plan.nft_table,
                        "chain": "postrouting",
                        "expr": masquerade(plan.subnet),
                    }
                }
            },
        ]
    )
    rules = ruleset()
    commands = foreign_accepts(rules, plan)
    if commands:
        _nft(commands)


def masquerade(subnet: str) -> list[dict[str, Any]]:
    network, length = subnet.split("/")
    inside = {"prefix": {"addr": network, "len": int(length)}}
    return [
        {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": inside}},
        {"match": {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": inside}},
        {"masquerade": None},
    ]


def foreign_accepts(rules: list[dict[str, Any]], plan: Plan) -> list[dict[str, Any]]:
    """Accepts for the bridge in every chain that would otherwise drop its forwarded traffic."""
    chains = [entry["chain"] for entry in rules if "chain" in entry and entry["chain"]["family"] in ("ip", "inet")]
    docker_user = [c for c in chains if c["name"] == "DOCKER-USER"]
    dropping = [c for c in chains if c.get("hook") == "forward" and c.get("policy") == "drop"]
    if docker_user:
        dropping = [c for c in dropping if c["table"] != docker_user[0]["table"]]
    marked = {
        (r["family"], r["table"], r["chain"])
        for r in (entry["rule"] for entry in rules if "rule" in entry)
        if r.get("comment") == plan.comment
    }
    return [
        {
            "insert": {
                "rule": {
                    "family": chain["family"],
                    "table": chain["table"],
                    "chain": chain["name"],
                    "comment": plan.comment,
                    "expr": [
                        {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": plan.bridge}},
                        {"accept": None},
                    ],
                }
            }
        }
        for chain in (*docker_user, *dropping)
        if (chain["family"], chain["table"], chain["name"]) not in marked
        for key in ("iifname", "oifname")
    ]


def take_down(plan: Plan) -> None:
    rules = ruleset()
    commands: list[dict[str, Any]] = [
        {"delete": {"rule": {key: r[key] for key in ("family", "table", "chain", "handle")}}}
        for r in (entry["rule"] for entry in rules if "rule" in entry)
        if r.get("comment") == plan.comment
    ]
    if any(e["table"]["name"] == plan.nft_table and e["table"]["family"] == "ip" for e in rules if "table" in e):
        commands.append({"delete": {"table": {"family": "ip", "name": plan.nft_table}}})
    if commands:
        _nft(commands)
