"""NodePorts: the facts of upstream's unit table."""

import pytest
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.engine import INFEASIBLE, Engine
from sampan_master.scheduler.plugins import DEFAULT
from sampan_master.scheduler.plugins.node_ports import REASON
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature

PLUGINS = tuple(plugin for plugin in DEFAULT if plugin.name == "NodePorts")


def ports(*texts):
    """ "TCP/127.0.0.1/80" as upstream's tests have it."""
    split = [text.split("/") for text in texts]
    return [
        {"protocol": protocol, "hostIP": ip, "hostPort": int(port), "containerPort": 1} for protocol, ip, port in split
    ]


def pod(*containers, inits=()):
    spec = {"containers": [{"ports": c} for c in containers], "initContainers": list(inits)}
    return {"metadata": {"name": "p", "uid": f"u{id(spec)}"}, "spec": spec}


def world(*placed):
    cluster = Cluster()
    for i in range(2):
        cluster.nodes.put_node({"metadata": {"name": f"n{i}"}, "spec": {}, "status": {}})
    for one in placed:
        cluster.assume(one, signature(one), 0)
    return cluster, Engine(cluster, Profile(plugins=PLUGINS, weights={}), 0)


def refused(a_pod, *placed):
    _, engine = world(*placed)
    totals = engine.totals(signature(a_pod))
    assert totals[1] != INFEASIBLE
    found = engine.refusals(signature(a_pod))
    assert bool(found) == (totals[0] == INFEASIBLE)
    for refusal in found:
        assert (refusal.reason, refusal.rows.tolist(), refusal.hopeless.tolist()) == (REASON, [0], [False])
    return [(refusal.need, refusal.words[refusal.have[0]]) for refusal in found]


@pytest.mark.parametrize(
    ("wanted", "used", "fits"),
    [
        ([], [], True),
        (["UDP/127.0.0.1/8080"], ["UDP/127.0.0.1/9090"], True),
        (["UDP/127.0.0.1/8080"], ["UDP/127.0.0.1/8080"], False),
        (["TCP/127.0.0.1/8080"], ["TCP/127.0.0.1/8080"], False),
        (["TCP/127.0.0.1/8080"], ["TCP/127.0.0.2/8080"], True),
        (["UDP/127.0.0.1/8080"], ["TCP/127.0.0.1/8080"], True),
        (["TCP/127.0.0.1/8001", "TCP/127.0.0.1/8080"], ["UDP/127.0.0.1/8080"], True),
        (["TCP/127.0.0.1/8001", "UDP/127.0.0.1/8080"], ["TCP/127.0.0.1/8001", "UDP/127.0.0.1/8081"], False),
        (["TCP/0.0.0.0/8001"], ["TCP/127.0.0.1/8001"], False),
        (["TCP/10.0.10.10/8001", "TCP/0.0.0.0/8001"], ["TCP/127.0.0.1/8001"], False),
        (["TCP/127.0.0.1/8001"], ["TCP/0.0.0.0/8001"], False),
        (["UDP/127.0.0.1/8001"], ["TCP/0.0.0.0/8001"], True),
        (["UDP/127.0.0.1/8001"], ["TCP/0.0.0.0/8001", "UDP/0.0.0.0/8001"], False),
        (["TCP//8001"], ["TCP/127.0.0.1/8001"], False),
        (["TCP/::/8001"], ["TCP/127.0.0.1/8001"], True),
    ],
)
def test_ports_conflict_by_protocol_and_address(wanted, used, fits):
    assert (not refused(pod(ports(*wanted)), pod(ports(*used)))) == fits


def test_every_container_counts_and_of_init_containers_those_that_stay():
    used = pod(ports("TCP/0.0.0.0/80"))
    assert refused(pod([], ports("TCP/0.0.0.0/80")), used)
    sidecar = {"restartPolicy": "Always", "ports": ports("TCP/0.0.0.0/80")}
    assert refused(pod([], inits=[sidecar]), used)
    assert not refused(pod([], inits=[{"ports": ports("TCP/0.0.0.0/80")}]), used)


def test_a_port_is_free_again_when_its_pod_is_gone():
    used, wanted = pod(ports("TCP/0.0.0.0/80")), pod(ports("TCP/0.0.0.0/80"))
    cluster, engine = world(used)
    assert engine.totals(signature(wanted)).tolist() == [INFEASIBLE, 0]
    cluster.remove(used["metadata"]["uid"])
    assert engine.totals(signature(wanted)).tolist() == [0, 0]


def test_the_refusal_names_the_port_that_is_taken():
    taken = refused(pod(ports("TCP/0.0.0.0/80", "UDP/0.0.0.0/53")), pod(ports("TCP/10.0.0.1/80")))
    assert taken == [("free port 53/UDP, port 80/TCP", "port 80/TCP on 10.0.0.1 taken")] or taken == [
        ("free port 80/TCP, port 53/UDP", "port 80/TCP on 10.0.0.1 taken")
    ]


def test_ports_are_asked_after_affinity_and_before_resources():
    names = [plugin.name for plugin in DEFAULT]
    assert names.index("NodeAffinity") < names.index("NodePorts") < names.index("NodeResourcesFit")
    assert names.index("NodeResourcesFit") < names.index("InterPodAffinity")
