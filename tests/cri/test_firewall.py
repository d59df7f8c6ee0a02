import json
import subprocess
import sys
from ipaddress import IPv4Network

import pytest
from sampan_runtime import firewall

CLUSTER = IPv4Network("10.244.0.0/16")


def chain(name, table="filter", **fields):
    return {"chain": {"family": "ip", "table": table, "name": name, **fields}}


FORWARD = {"hook": "forward", "prio": 0, "type": "filter"}


def test_a_machine_without_foreign_firewalls_is_left_alone():
    assert firewall.plan([chain("FORWARD", **FORWARD, policy="accept")], "sampan:c", [CLUSTER]) == []


def test_docker_user_is_preferred_to_the_dropping_chain():
    ruleset = [chain("FORWARD", **FORWARD, policy="drop"), chain("DOCKER-USER")]
    assert firewall.dropping_chains(ruleset) == [firewall.Chain("ip", "filter", "DOCKER-USER")]


@pytest.mark.root
def test_rules_are_inserted_once_and_removed_by_their_mark(tmp_path):
    """The kernel's view, in a network namespace of this test's own."""
    script = tmp_path / "run.py"
    script.write_text(
        "import json\n"
        "from ipaddress import IPv4Network\n"
        "from sampan_runtime import firewall, nat\n"
        "nat.apply([{'add': {'table': {'family': 'ip', 'name': 'filter'}}}, {'add': {'chain': {'family': 'ip', "
        "'table': 'filter', 'name': 'FORWARD', 'type': 'filter', 'hook': 'forward', 'prio': 0, 'policy': 'drop'}}}])\n"
        "for _ in range(2):\n"
        "    nat.apply(firewall.plan(firewall.list_ruleset(), 'sampan:t', [IPv4Network('10.244.0.0/16')]))\n"
        "marked = len([1 for e in firewall.list_ruleset() if e.get('rule', {}).get('comment') == 'sampan:t'])\n"
        "nat.apply(firewall.removal(firewall.list_ruleset(), 'sampan:t'))\n"
        "left = len([1 for e in firewall.list_ruleset() if 'rule' in e])\n"
        "print(json.dumps([marked, left]))\n"
    )

    done = subprocess.run(["unshare", "--net", sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [2, 0]
