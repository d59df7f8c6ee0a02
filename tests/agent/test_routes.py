from __future__ import annotations

import json
import subprocess
import sys

import pytest

_SCRIPT = """
import json, subprocess, sys
from sampan_agent import routes

def ip(*arguments):
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout

ip("link", "add", "br0", "type", "bridge")
ip("address", "add", "10.77.0.11/24", "dev", "br0")
ip("link", "set", "br0", "up")
ip("route", "add", "10.9.0.0/24", "via", "10.77.0.9")
steps = []
for wanted in json.loads(sys.argv[1]):
    routes.apply(wanted)
    steps.append({"ours": routes.current(), "kernel": ip("route")})
print(json.dumps(steps))
"""


@pytest.mark.root
def test_routes_become_exactly_the_peers_and_no_others_are_touched():
    steps = [
        {"10.244.1.0/24": "10.77.0.12", "10.244.2.0/24": "10.77.0.13"},
        {"10.244.1.0/24": "10.77.0.14"},
        {},
    ]
    command = ["unshare", "--net", sys.executable, "-c", _SCRIPT, json.dumps(steps)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for wanted, got in zip(steps, json.loads(done.stdout), strict=True):
        assert got["ours"] == wanted
        assert "10.9.0.0/24 via 10.77.0.9" in got["kernel"]
        assert all(f"{cidr} via {gateway}" in got["kernel"] for cidr, gateway in wanted.items())
