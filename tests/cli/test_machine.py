"""What `up` makes on the machine and `down` takes away, compared as whole snapshots. No plank runs here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sampan_cli.cluster import bringup, cgroups, firewall, netns, network, record, takedown
from sampan_cli.cluster.plan import Plan, choose_subnet, directories, make_plan
from sampan_cli.cluster.record import Phase
from sampan_cli.cluster.settings import RUN_ROOT, STATE_ROOT, ClusterSettings

pytestmark = pytest.mark.root


def _run(*argv: str) -> str:
    return subprocess.run(argv, text=True, capture_output=True, check=True).stdout


def _ours(names: list[str], cluster: str) -> list[str]:
    return [name for name in names if cluster in name]


def snapshot(plan: Plan) -> dict[str, Any]:
    """Everything of the machine that this cluster could have touched; other clusters may come and go meanwhile."""
    cluster = plan.settings.cluster
    links = os.listdir("/sys/class/net")
    table = [e for e in firewall.ruleset() if plan.nft_table in str(e) or plan.comment in str(e)]
    groups = [str(path) for h in cgroups.hierarchies() for path in h.at("/sampan").glob(f"{cluster}*")]
    return {
        "links": sorted(name for name in links if name == plan.bridge or name in {n.veth for n in plan.nodes}),
        "netns": _ours(os.listdir("/run/netns") if Path("/run/netns").exists() else [], cluster),
        "mounts": _ours(Path("/proc/self/mountinfo").read_text().splitlines(), cluster),
        "nft": table,
        "cgroups": sorted(groups),
        "directories": [str(d) for d in (STATE_ROOT / cluster, RUN_ROOT / cluster) if d.exists()],
    }


def _plan(name: str, second: int) -> Plan:
    settings = ClusterSettings(name, nodes=2)
    subnet = choose_subnet([*network.taken_subnets(), f"10.{second}.0.0/24"], settings.cluster_cidr)
    return make_plan(settings, subnet, (1, 2, 3), (2, 1 << 30))


def _make(plan: Plan) -> None:
    record.save(plan, Phase.UP)
    for directory in directories(plan):
        directory.mkdir(parents=True, exist_ok=True)
    bringup.set_up_machine(plan, lambda _text: None)


@pytest.fixture
def plan() -> Iterator[Plan]:
    made = _plan(f"climach{os.getpid()}", 77)
    yield made
    takedown.take_down(made.settings.cluster, lambda _text: None)


def test_down_leaves_the_machine_as_it_was(plan: Plan) -> None:
    before = snapshot(plan)
    _make(plan)
    made = snapshot(plan)
    assert len(made["links"]) == 3
    assert len(made["netns"]) == 2
    assert made["nft"]
    assert made["cgroups"]
    assert takedown.take_down(plan.settings.cluster, lambda _text: None)
    assert snapshot(plan) == before
    assert not takedown.take_down(plan.settings.cluster, lambda _text: None)


def test_set_up_twice_changes_nothing_the_second_time(plan: Plan) -> None:
    _make(plan)
    inodes = [os.stat(netns.NETNS_ROOT / node.netns).st_ino for node in plan.nodes]
    made = snapshot(plan)["links"]
    bringup.set_up_machine(plan, lambda _text: None)
    assert snapshot(plan)["links"] == made
    assert [os.stat(netns.NETNS_ROOT / node.netns).st_ino for node in plan.nodes] == inodes


def test_a_half_made_cluster_goes_down_too(plan: Plan) -> None:
    before = snapshot(plan)
    record.save(plan, Phase.UP)
    cgroups.set_up(plan)
    netns.create(plan.nodes[0].netns)
    takedown.take_down(plan.settings.cluster, lambda _text: None)
    assert snapshot(plan) == before


def test_nodes_reach_each_other_and_the_machine(plan: Plan) -> None:
    _make(plan)
    one, two = plan.nodes
    for address in (two.ip, plan.gateway):
        _run("ip", "netns", "exec", one.netns, "ping", "-c1", "-W30", address)


def test_two_clusters_live_side_by_side(plan: Plan) -> None:
    _make(plan)
    other = _plan(f"climacz{os.getpid()}", 78)
    assert other.subnet != plan.subnet
    before = snapshot(plan)
    try:
        _make(other)
    finally:
        takedown.take_down(other.settings.cluster, lambda _text: None)
    assert snapshot(plan) == before


def test_a_node_gets_its_share_of_the_machine(plan: Plan) -> None:
    _make(plan)
    for hierarchy in cgroups.hierarchies():
        directory = hierarchy.at(f"{plan.cgroup}/node1")
        assert directory.is_dir()
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (directory / name).exists():
                assert int((directory / name).read_text()) == 1 << 29


def test_a_process_left_in_the_cgroups_is_killed(plan: Plan) -> None:
    _make(plan)
    hierarchy = cgroups.control_hierarchy(cgroups.hierarchies())
    deep = hierarchy.at(f"{plan.cgroup}/node1") / "kubepods" / "pod1"
    deep.mkdir(parents=True)
    with subprocess.Popen(["sleep", "1000"]) as stray:
        (deep / "cgroup.procs").write_text(str(stray.pid))
        takedown.take_down(plan.settings.cluster, lambda _text: None)
        assert stray.wait(60) == -9
