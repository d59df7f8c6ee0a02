from __future__ import annotations

import asyncio

import pytest
from linked import RunningAgent, eventually
from sampan_agent.errors import ObjectUnavailable
from sampan_agent.tokens import Wanted
from sampan_api.client import CONFIGMAPS, EVENTS, LEASES, NODES, PODS, DeleteOptions, Selection
from sampan_api.errors import NotFound, ServiceUnavailable
from sampan_master.apiserver.auth import jwt
from sampan_master.apiserver.handlers.node_streams import StreamRequest


def pod(name="p1", node="n1", **spec):
    container = {"name": "c1", "image": "busybox:1.35", **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        # A token would be a tmpfs, which needs root and would outlive an agent that stops as agents do.
        "spec": {"nodeName": node, "automountServiceAccountToken": False, "containers": [container], **spec},
    }


async def ready(cluster, name="p1"):
    conditions = (await cluster.client.get(PODS, name, "default"))["status"].get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


async def gone(cluster, resource, name):
    try:
        await cluster.client.get(resource, name, "default")
    except NotFound:
        return True
    return False


async def connected(agent):
    await eventually(lambda: agent.connected)


async def test_node_registers_with_its_own_range_and_lease_and_becomes_ready(cluster):
    agents = [await cluster.agent(name) for name in ("n1", "n2")]
    for agent in agents:
        await connected(agent)

    async def all_ready():
        nodes = (await cluster.client.list(NODES)).items
        states = [c["status"] for n in nodes for c in n["status"]["conditions"] if c["type"] == "Ready"]
        return states == ["True", "True"]

    await eventually(all_ready)
    nodes = (await cluster.client.list(NODES)).items
    assert sorted(n["spec"]["podCIDR"] for n in nodes) == ["10.244.0.0/24", "10.244.1.0/24"]
    assert nodes[0]["metadata"]["labels"]["disk"] == "ssd"
    assert agents[0].runtime.pod_cidr in ("10.244.0.0/24", "10.244.1.0/24")
    lease = await cluster.client.get(LEASES, "n1", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "n1"

    async def renewed():
        now = await cluster.client.get(LEASES, "n1", "kube-node-lease")
        return now["spec"]["renewTime"] > lease["spec"]["renewTime"]

    await eventually(renewed)


async def test_pod_runs_reports_events_and_is_gone_after_deletion(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    await cluster.client.create(PODS, pod())
    await eventually(lambda: ready(cluster))
    stored = await cluster.client.get(PODS, "p1", "default")
    assert stored["status"]["containerStatuses"][0]["containerID"].startswith("fake://")

    async def reasons():
        events = (await cluster.client.list(EVENTS, Selection("default"))).items
        return {e["reason"] for e in events} >= {"Pulled", "Created", "Started"}

    await eventually(reasons)
    await cluster.client.delete(PODS, "p1", "default")
    await eventually(lambda: gone(cluster, PODS, "p1"))
    assert agent.runtime.containers == {}


async def test_force_deleted_pod_is_stopped_at_once(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    await cluster.client.create(PODS, pod())
    await eventually(lambda: ready(cluster))
    await cluster.client.delete(PODS, "p1", "default", DeleteOptions(grace_seconds=0))
    await eventually(lambda: not agent.runtime.sandboxes)


async def test_second_agent_of_a_name_is_refused_while_the_first_is_alive(cluster):
    first = await cluster.agent("n1")
    await connected(first)
    second = await cluster.agent("n1", first.runtime, directory="other")
    await eventually(lambda: second.link is not None)
    assert second.link is not None
    for _ in range(20):
        assert not second.connected
        await asyncio.sleep(0.05)
    await first.stop()
    await connected(second)


async def test_agent_that_starts_again_takes_its_own_pods_over(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    await cluster.client.create(PODS, pod())
    await eventually(lambda: ready(cluster))
    calls = len(agent.runtime.calls)
    await agent.stop()
    again = await cluster.agent("n1", agent.runtime)
    await connected(again)
    agent.runtime.exit("c1", 3)

    async def restarted():
        status = (await cluster.client.get(PODS, "p1", "default"))["status"]["containerStatuses"][0]
        return status["restartCount"] == 1 and status["ready"]

    await eventually(restarted)
    assert agent.runtime.calls[calls:] == ["CreateContainer c1", "StartContainer c1"]


async def test_pods_go_on_while_the_master_is_away_and_what_it_no_longer_wants_is_removed(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    for name in ("p1", "p2"):
        await cluster.client.create(PODS, pod(name))
        await eventually(lambda name=name: ready(cluster, name))
    await cluster.node_link.stop()
    await eventually(lambda: not agent.connected)
    agent.runtime.exit("c1", 1)
    await eventually(lambda: agent.runtime.calls.count("StartContainer c1") == 3)
    await cluster.client.delete(PODS, "p2", "default", DeleteOptions(grace_seconds=0))
    assert len(agent.runtime.sandboxes) == 2
    await cluster.start_link()
    await connected(agent)
    await eventually(lambda: len(agent.runtime.sandboxes) == 1)

    async def caught_up():
        status = (await cluster.client.get(PODS, "p1", "default"))["status"]
        return status["containerStatuses"][0]["ready"]

    await eventually(caught_up)


async def test_agent_started_without_a_master_manages_the_pods_it_knew(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    await cluster.client.create(PODS, pod())
    await eventually(lambda: ready(cluster))
    await agent.stop()
    await cluster.node_link.stop()
    agent.runtime.exit("c1", 1)
    await cluster.agent("n1", agent.runtime)
    await eventually(lambda: agent.runtime.calls.count("StartContainer c1") == 2)


async def test_sandbox_that_no_pod_accounts_for_is_removed(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    await cluster.client.create(PODS, pod())
    await eventually(lambda: ready(cluster))
    await agent.stop()
    await cluster.client.delete(PODS, "p1", "default", DeleteOptions(grace_seconds=0))
    [directory] = agent.settings.pods_dir.iterdir()
    (directory / "pod.json").unlink()
    await cluster.agent("n1", agent.runtime)
    await eventually(lambda: not agent.runtime.sandboxes)


async def test_wrong_token_gets_no_certificate(cluster):
    cluster.write_join("abcdef.wrong")
    agent = await cluster.agent("n1")
    for _ in range(20):
        assert agent.link is None
        await asyncio.sleep(0.02)
    cluster.write_join("abcdef.0123456789abcdef")
    await connected(agent)


async def test_node_reads_only_the_objects_its_pods_name(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    for name in ("named", "other"):
        await cluster.client.create(
            CONFIGMAPS,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "default"},
                "data": {"k": "v"},
            },
        )
    variable = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "named", "key": "k"}}}
    await cluster.client.create(PODS, pod(container={"env": [variable]}))
    await eventually(lambda: ready(cluster))
    assert (await agent.link.read_object("ConfigMap", "default", "named"))["data"] == {"k": "v"}
    with pytest.raises(Exception, match="no pod on node"):
        await agent.link.read_object("ConfigMap", "default", "other")


@pytest.mark.root
async def test_a_pod_finds_its_token_and_its_node_gets_no_other(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    made = await cluster.client.create(PODS, pod(automountServiceAccountToken=True))
    await eventually(lambda: ready(cluster))
    pod_uid, volume = made["metadata"]["uid"], made["spec"]["volumes"][0]["name"]
    directory = agent.settings.pods_dir / pod_uid / "volumes" / volume
    claims = jwt.unverified_claims((directory / "token").read_text())
    assert claims["sub"] == "system:serviceaccount:default:default"
    assert claims["kubernetes.io"]["pod"] == {"name": "p1", "uid": pod_uid}
    assert claims["kubernetes.io"]["node"]["name"] == "n1"
    assert ((directory / "ca.crt").read_text(), (directory / "namespace").read_text()) == ("pem", "default")
    elsewhere = await cluster.client.create(PODS, pod("p2", "n2", automountServiceAccountToken=True))
    for wanted in (
        Wanted(elsewhere["metadata"]["uid"], "", 3607),
        Wanted(pod_uid, "vault", 3607),
        Wanted(pod_uid, "", 86400),
    ):
        with pytest.raises(ObjectUnavailable, match="has a volume with such a token"):
            await agent.link.read_token(wanted)
    await cluster.client.delete(PODS, "p1", "default", DeleteOptions(grace_seconds=1))
    await eventually(lambda: not directory.exists())


async def test_logs_come_through_the_link(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    created = await cluster.client.create(PODS, pod())
    await eventually(lambda: ready(cluster))
    [container] = agent.runtime.containers.values()
    with open(container.log_path, "w") as log:
        log.write("2026-01-01T00:00:00.000000000Z stdout F hello\n")
    request = StreamRequest("logs", "default", "p1", created["metadata"]["uid"], "c1", {"follow": True})
    stream = await cluster.node_link.open("n1", request)
    assert await stream.recv() == b"hello\n"
    agent.runtime.exit("c1", 0)
    assert await stream.recv() == b""
    await stream.close()


async def test_stream_to_an_unknown_node_or_container_is_refused(cluster):
    request = StreamRequest("exec", "default", "p1", "u", "c1", {"command": ["x"]})
    with pytest.raises(ServiceUnavailable):
        await cluster.node_link.open("n9", request)
    agent: RunningAgent = await cluster.agent("n1")
    await connected(agent)
    with pytest.raises(Exception, match="container not found"):
        await cluster.node_link.open("n1", request)


async def test_exec_replays_the_request_and_relays_both_ways_until_the_end(cluster):
    heads: list[bytes] = []

    async def streaming_server(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        total = 0
        while data := await reader.read(65536):
            total += len(data)
        writer.write(b"got %d" % total)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(streaming_server, "127.0.0.1", 0)
    agent = await cluster.agent("n1")
    agent.runtime.stream_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/exec/token"
    await connected(agent)
    created = await cluster.client.create(PODS, pod())
    await eventually(lambda: ready(cluster))
    head = b"GET /api/v1/x?command=ls HTTP/1.1\r\nHost: master\r\nAuthorization: Bearer s\r\nUpgrade: websocket\r\n\r\n"
    parameters = {"command": ["ls", "-l"], "stdin": True, "stdout": True, "stderr": True, "tty": False}
    request = StreamRequest("exec", "default", "p1", created["metadata"]["uid"], "c1", parameters, head)
    stream = await cluster.node_link.open("n1", request)
    assert await stream.recv() == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    await stream.send(b"x" * 1_000_000)
    await stream.send_eof()
    assert await stream.recv() == b"got 1000000"
    assert await stream.recv() == b""
    await stream.close()
    assert heads[0].startswith(b"GET /exec/token HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Authorization" not in heads[0]
    assert b"Upgrade: websocket" in heads[0]
    assert "Exec ls -l" in agent.runtime.calls
    server.close()
    await server.wait_closed()


async def test_node_deleted_from_the_api_registers_anew(cluster):
    agent = await cluster.agent("n1")
    await connected(agent)
    before = (await cluster.client.get(NODES, "n1"))["metadata"]["uid"]
    await cluster.client.delete(NODES, "n1")

    async def back():
        try:
            return (await cluster.client.get(NODES, "n1"))["metadata"]["uid"] != before
        except NotFound:
            return False

    await eventually(back)


async def test_a_node_whose_range_comes_late_is_welcomed_without_and_hears_of_it(cluster):
    await cluster.stop_cidrs()
    agent = await cluster.agent("n1")
    await connected(agent)
    assert agent.runtime.pod_cidr == ""
    cluster.start_cidrs()
    await eventually(lambda: agent.runtime.pod_cidr == "10.244.0.0/24")
    await connected(agent)


async def test_agents_hear_of_the_ranges_of_nodes_that_can_be_reached_and_of_no_others(cluster, monkeypatch):
    told = []
    monkeypatch.setattr("sampan_agent.routes.apply", told.append)
    agent = await cluster.agent("n1")
    await connected(agent)
    for name, cidr in (("real", "10.244.7.0/24"), ("simulated", "100.64.0.0/24"), ("mute", "10.244.8.0/24")):
        addresses = [] if name == "mute" else [{"type": "InternalIP", "address": f"192.0.2.{len(name)}"}]
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"podCIDR": cidr}}
        await cluster.client.create(NODES, node | {"status": {"addresses": addresses}})
    await eventually(lambda: told and told[-1] == {"10.244.7.0/24": "192.0.2.4"})
    await cluster.client.delete(NODES, "real")
    await eventually(lambda: told[-1] == {})
