import json
import os
import subprocess
from ipaddress import IPv4Network

import pytest
from sampan_runtime import nat

POD, CLUSTER = IPv4Network("10.244.1.0/24"), IPv4Network("10.244.0.0/16")


def test_the_tables_name_carries_cluster_and_node():
    assert nat.table_name("my-cluster", "node1") == "sampan_my_cluster_node1"


def test_rules_replace_the_table_whole():
    verbs = [next(iter(command)) for command in nat.ruleset("t", POD, CLUSTER)]
    assert verbs[:3] == ["add", "delete", "add"]


@pytest.mark.root
def test_the_kernel_takes_the_rules_twice_over(tmp_path):
    """In a network namespace of this test's own: the commands are read from a file by nft there."""

    port = nat.HostPort("tcp", 8080, "10.244.1.5", 80)
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"nftables": nat.ruleset("sampan_test", POD, CLUSTER, [port])}))
    script = f"nft -j -f {file} && nft -j -f {file} && nft list ruleset"
    done = subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ip saddr 10.244.1.0/24 ip daddr != 10.244.0.0/16 masquerade") == 1
    assert done.stdout.count("dnat to 10.244.1.5:80") == 2
