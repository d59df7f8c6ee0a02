"""`sampan up`, as far as the machine goes: record, supervisor, bridge, namespaces, cgroups, rules.

The supervisor is started first: it starts etcd and imports the mains while this process makes the network. Every step
can be done twice, so `up` after a crash or a reboot completes what is missing and touches nothing that is there.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from sampan_cli.cluster import cgroups, machine, netns, ports, record
from sampan_cli.cluster.plan import (
    JOIN_PORT,
    NODE_LINK_PORT,
    Plan,
    choose_subnet,
    components,
    directories,
    make_plan,
)
from sampan_cli.cluster.record import SUPERVISOR, Phase
from sampan_cli.cluster.settings import ClusterSettings
from sampan_cli.cluster.supervisor import supervisor_command
from sampan_cli.errors import ClusterError

IP_FORWARD = "net.ipv4.ip_forward"
V2_CONTROLLERS = "cgroup2 root controllers"
NETNS_DIRECTORY = str(netns.NETNS_ROOT)

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Brought:
    plan: Plan
    was_running: bool


def bring_up(settings: ClusterSettings, say: Say) -> Brought:
    """Returns when every process has been started; waiting until they serve is the caller's."""
    with record.locked(settings.cluster):
        loaded = record.load(settings.cluster)
        if loaded and loaded[1] is Phase.UP and record.process(settings.cluster, SUPERVISOR):
            # It may be there without it when the `up` that started the supervisor was interrupted.
            set_up_machine(loaded[0], lambda _: None)
            return Brought(loaded[0], was_running=True)
        if loaded and loaded[1] is Phase.DOWN:
            raise ClusterError(
                f'a "sampan down" of cluster {settings.cluster} was interrupted: run it again, then "sampan up"'
            )
        with record.locked("machine"):
            plan = _restarted(loaded[0]) if loaded else _new_plan(settings)
            record.save(plan, Phase.UP)
            record.save_components(plan.settings.cluster, components(plan))
        say(f"cluster {settings.cluster}: nodes' network {plan.subnet}, API on 127.0.0.1:{plan.api_port}")
        _start(plan, say)
    return Brought(plan, was_running=False)


def _new_plan(settings: ClusterSettings) -> Plan:
    from sampan_cli.cluster import network

    others = [loaded[0] for name in record.clusters() if (loaded := record.load(name))]
    taken = [*network.taken_subnets(), *(plan.subnet for plan in others)]
    api = _api_port(settings.port, {plan.api_port for plan in others})
    client, peer = ports.any_free(2)
    subnet = choose_subnet(taken, settings.cluster_cidr)
    return make_plan(settings, subnet, (api, client, peer), machine_capacity())


def _api_port(wanted: int, others: set[int]) -> int:
    """The first from `wanted` on that is free. The master listens on the bridge's address too, for its nodes."""
    for port in (NODE_LINK_PORT, JOIN_PORT):
        if ports.is_taken_everywhere(port):
            raise ClusterError(
                f"port {port}, where nodes reach the master, is taken on all addresses (ss -ltnp shows who)"
            )
    reserved = {*others, NODE_LINK_PORT, JOIN_PORT}
    free = (port for port in range(wanted, 65536) if port not in reserved and ports.is_free(port))
    if (found := next(free, None)) is None:
        raise ClusterError(f"no port from {wanted} on is free")
    return found


def _restarted(plan: Plan) -> Plan:
    """The plan as it was, with new ports for an etcd that does not run and whose ports are somebody else's now."""
    if record.process(plan.settings.cluster, "etcd") or ports.is_free(plan.etcd_client_port):
        return plan
    client, peer = ports.any_free(2)
    return dataclasses.replace(plan, etcd_client_port=client, etcd_peer_port=peer)


def machine_capacity() -> tuple[int, int]:
    """CPUs that we may use, and bytes of memory."""
    cpus = len(os.sched_getaffinity(0))
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return cpus, int(line.split()[1]) * 1024
    raise ClusterError("/proc/meminfo has no MemTotal")


def _start(plan: Plan, say: Say) -> None:
    for directory in directories(plan):
        directory.mkdir(parents=True, exist_ok=True)
    plan.settings.state_dir.chmod(0o755)
    read_end, write_end = os.pipe()
    with open(plan.settings.state_dir / "log" / "supervisor.log", "a") as log:
        subprocess.Popen(
            [*supervisor_command(plan.settings.cluster), str(read_end)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            pass_fds=(read_end,),
            start_new_session=True,
        ).returncode = 0  # never waited for: it outlives us
    os.close(read_end)
    say("etcd is starting, the supervisor imports the planks")
    try:
        set_up_machine(plan, say)
        os.write(write_end, b"1")
    finally:
        os.close(write_end)


def set_up_machine(plan: Plan, say: Say) -> None:
    from sampan_cli.cluster import firewall, network

    cluster = plan.settings.cluster
    with record.locked("machine"):
        _borrow(cluster)
        cgroups.set_up(plan)
        network.set_up(plan)
        firewall.set_up(plan)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    say(f"bridge {plan.bridge} {plan.gateway}; " + ", ".join(f"{n.name} {n.ip}" for n in plan.nodes))


def _borrow(cluster: str) -> None:
    """Write down what is about to change for the whole machine."""
    forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    borrowed = machine.borrowed()
    if forwarding != "1" or IP_FORWARD in borrowed:
        machine.borrow(cluster, IP_FORWARD, forwarding)
    controllers = cgroups.missing_at_root()
    if controllers or V2_CONTROLLERS in borrowed:
        machine.borrow(cluster, V2_CONTROLLERS, " ".join(controllers))
    state = netns.root_state()
    if state != "mounted" or NETNS_DIRECTORY in borrowed:
        machine.borrow(cluster, NETNS_DIRECTORY, state)
