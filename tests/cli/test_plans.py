"""The pure parts of the cluster verbs."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest
from sampan_cli.cli import run
from sampan_cli.cluster import bringup, preflight, waiting
from sampan_cli.cluster import plan as plans
from sampan_cli.cluster.backoff import Backoff
from sampan_cli.cluster.cgroups import hierarchies
from sampan_cli.cluster.firewall import foreign_accepts
from sampan_cli.cluster.plan import Component, choose_subnet, components, make_plan
from sampan_cli.cluster.preflight import missing
from sampan_cli.cluster.settings import ClusterSettings
from sampan_cli.cluster.takedown import mounts_below
from sampan_cli.errors import CliError, ClusterError, UsageError
from sampan_cli.verbs import up

PLAN = make_plan(ClusterSettings("demo"), "10.77.0.0/24", (6443, 2, 3), (6, 3 << 30))


def test_the_nodes_share_the_machine() -> None:
    assert (PLAN.node_cpus, PLAN.node_memory) == (2, 1 << 30)
    assert [node.ip for node in PLAN.nodes] == ["10.77.0.11", "10.77.0.12", "10.77.0.13"]
    assert all(len(name) <= 15 for name in (PLAN.bridge, *(node.veth for node in PLAN.nodes)))


def test_a_subnet_that_collides_is_passed_over() -> None:
    assert choose_subnet([], "10.244.0.0/16") == "10.77.0.0/24"
    assert choose_subnet(["10.77.0.128/25", "10.78.0.0/15"], "10.244.0.0/16") == "10.80.0.0/24"
    services_are_there = ["10.64.0.0/11"]
    assert choose_subnet(services_are_there, "10.244.0.0/16") == "10.112.0.0/24"
    with pytest.raises(ClusterError):
        choose_subnet(["0.0.0.0/1", "128.0.0.0/1"], "10.244.0.0/16")


def test_a_plan_survives_its_record() -> None:
    assert plans.from_json(plans.to_json(PLAN)) == PLAN


def test_etcd_is_first_and_agents_wait_for_token_and_runtime() -> None:
    names = [part.name for part in components(PLAN)]
    assert names[:2] == ["etcd", "master"]
    agent = next(part for part in components(PLAN) if part.name == "agent-node2")
    assert agent.after == ("/var/lib/sampan/demo/master/join.json", "/run/sampan/demo/node2/runtime.sock")


@pytest.mark.parametrize("name", ["", "A", "-a", "a/b", "../x", "a" * 31])
def test_a_cluster_name_must_be_safe_in_paths(name: str) -> None:
    with pytest.raises(UsageError):
        ClusterSettings(name)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"port": 0}, "--port must be between 1 and 65535, not 0"),
        ({"port": 70000}, "--port"),
        ({"cluster_cidr": "10.244.0.0/33"}, "--cluster-cidr: "),
        ({"cluster_cidr": "10.244.1.0/16"}, "has host bits set: write an IPv4 network such as 10.244.0.0/16"),
        ({"cluster_cidr": "fd00::/48"}, "write an IPv4 network"),
        ({"cluster_cidr": "10.244.0.0/25"}, "is too small: each node gets a /24 of it"),
        ({"cluster_cidr": "10.0.0.0/8"}, "overlaps 10.96.0.0/12"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        ClusterSettings(**wrong)


def test_the_api_goes_to_the_next_port_that_nobody_has_and_the_nodes_do_not_need() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        assert bringup._api_port(port, set()) > port
        assert bringup._api_port(port, {port + 1}) > port + 1
    assert bringup._api_port(plans.NODE_LINK_PORT, set()) > plans.JOIN_PORT
    with pytest.raises(ClusterError, match="no port from 65536 on is free"):
        bringup._api_port(65536, set())


def test_a_port_of_the_nodes_that_is_taken_on_all_addresses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        monkeypatch.setattr(bringup, "NODE_LINK_PORT", taken.getsockname()[1])
        with pytest.raises(ClusterError, match="is taken on all addresses"):
            bringup._api_port(6443, set())
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        monkeypatch.setattr(bringup, "NODE_LINK_PORT", elsewhere.getsockname()[1])
        assert bringup._api_port(6443, set())


def test_a_master_that_dies_while_it_is_waited_for_is_no_answer_and_its_log_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("cannot start: no")
    answers = iter([CliError("refused"), CliError("refused")])
    dead = iter([None, Component("master", (), log=str(log))])

    def asked() -> bool:
        raise next(answers)

    monkeypatch.setattr(waiting, "crash_looping", lambda plan: next(dead))
    with pytest.raises(ClusterError, match=r"master does not stay up.*\n  cannot start: no"):
        waiting._until(asked, PLAN, 60, lambda: "")


def test_settings_of_the_master_are_checked_here_and_given_to_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["up", "--event-ttl-seconds", "1h"]) == 1
    assert 'invalid argument "1h" for "--event-ttl-seconds" flag: not a whole number' in capsys.readouterr().err
    given: list[ClusterSettings] = []

    def brought(settings: ClusterSettings, say: object) -> None:
        given.append(settings)
        raise ClusterError("far enough")

    monkeypatch.setattr(preflight, "check", lambda: None)
    monkeypatch.setattr(bringup, "bring_up", brought)
    monkeypatch.chdir(tmp_path)
    assert run(["up", "--scheduler-config", "mine.yaml"]) == 1
    assert f"--scheduler-config: {tmp_path}/mine.yaml is no file" in capsys.readouterr().err
    (tmp_path / "mine.yaml").touch()
    assert run(["up", "--scheduler-config", "mine.yaml", "--node-monitor-grace-seconds", "8"]) == 1
    assert given[0].master_options == (
        *("--node-monitor-grace-seconds", "8.0"), *("--scheduler-config", f"{tmp_path}/mine.yaml"),
    )  # fmt: skip


def test_commands_that_are_proposed_name_the_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("status", "kubeconfig"):
        assert run([verb, "--cluster", "not-there"]) == 1
        assert 'start it with "sampan up --cluster not-there"' in capsys.readouterr().err


def test_what_does_not_come_in_time_is_said_with_the_verb_that_tells_more() -> None:
    with pytest.raises(ClusterError, match=r"not within 0 s: hello 1/3 Ready\nSee: sampan why rs --cluster demo"):
        waiting._until(lambda: False, PLAN, 0, lambda: "hello 1/3 Ready", see="why rs")


def test_what_to_try_next_names_hello_only_where_it_was_applied() -> None:
    with_hello = up._next_commands("lab", "/kc", hello=True)
    assert "--cluster lab why rs/hello\n" in with_hello
    assert "hello" not in up._next_commands("lab", "/kc", hello=False)
    assert with_hello.splitlines()[-2:] == [
        "  export KUBECONFIG=/kc      # then any kubectl",
        with_hello.splitlines()[2].replace("get nodes,pods,rs -A -o wide", "down"),
    ]


def test_an_interrupted_up_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(preflight, "check", interrupted)
    assert run(["up", "--cluster", "lab"]) == 130
    assert '"sampan up --cluster lab" goes on' in capsys.readouterr().err


def test_backoff_is_fast_first_and_then_slower() -> None:
    backoff = Backoff(started=0)
    assert [backoff.died(1) for _ in range(8)] == [0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5]
    backoff.started = 100
    assert backoff.died(111) == 0


def test_dockers_drop_gets_our_accept_in_its_user_chain() -> None:
    rules = [
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}},
        {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}},
    ]
    made = [command["insert"]["rule"] for command in foreign_accepts(rules, PLAN)]
    assert [rule["chain"] for rule in made] == ["DOCKER-USER", "DOCKER-USER"]
    assert {rule["comment"] for rule in made} == {"sampan:demo"}
    marked = [*rules, *({"rule": rule} for rule in made)]
    assert foreign_accepts(marked, PLAN) == []


def test_a_machine_without_foreign_rules_gets_none() -> None:
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "accept"}
    assert foreign_accepts([{"chain": chain}], PLAN) == []


def test_hierarchies_of_a_hybrid_host() -> None:
    text = """32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /nowhere/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
"""
    one, two = hierarchies(text)
    assert (one.version, one.controllers) == (1, frozenset({"cpu", "cpuacct"}))
    assert (two.version, two.at("/sampan/x")) == (2, Path("/nowhere/unified/sampan/x"))


def test_mounts_below_come_last_first() -> None:
    text = "1 0 0:1 / /a/b rw - t t rw\n2 0 0:1 / /a/b/c\\040d rw - t t rw\n3 0 0:1 / /ab rw - t t rw\n"
    assert mounts_below(text, Path("/a")) == ["/a/b/c d", "/a/b"]


def test_what_is_missing_is_named_with_its_package() -> None:
    found = missing(which=lambda program: None, uid=1000)
    assert {item.package for item in found} == {"", "etcd-server", "busybox-static", "nftables"}
    assert "root" in found[0].what


def test_what_the_master_leaves_to_others_is_told_with_its_command() -> None:
    assert up._missing("sampan", "10.244.0.0/16", up._parts_of(())) == []
    parts = up._parts_of(("--event-ttl-seconds", "60", "--components", "*,-controllers"))
    assert up._missing("lab", "10.9.0.0/16", parts) == ["sampan --cluster lab controllers --cluster-cidr 10.9.0.0/16"]
    assert len(up._missing("lab", "10.9.0.0/16", up._parts_of(("--components", "none")))) == 2


def test_a_part_that_is_none_is_refused_before_anything_starts() -> None:
    with pytest.raises(UsageError, match="--components: 'shedules' is no part of the master"):
        up._components("shedules")
