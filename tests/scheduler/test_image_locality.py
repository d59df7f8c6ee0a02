"""ImageLocality by the facts of Kubernetes' own table, and what a change of images costs."""

import pytest
from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.engine import Engine
from sampan_master.scheduler.plugins.image_locality import PLUGIN, image_names
from sampan_master.scheduler.profile import Profile
from sampan_master.scheduler.signature import signature

MIB = 1 << 20


def image(mib, *names):
    return {"names": list(names), "sizeBytes": mib * MIB}


SMALL = image(40, "gcr.io/40:latest", "gcr.io/40:v1", "gcr.io/40:v1")
SOME = [SMALL, image(300, "gcr.io/300:latest", "gcr.io/300:v1"), image(2000, "gcr.io/2000:latest")]
OTHERS = [image(250, "gcr.io/250:latest"), image(10, "gcr.io/10:latest", "gcr.io/10:v1")]
HUGE = [image(600, "gcr.io/600:latest"), image(900, "gcr.io/900:latest")]


def node(name, images):
    status = {"allocatable": {"cpu": "9", "memory": "9Gi", "pods": "99"}, "images": images}
    return {"metadata": {"name": name}, "spec": {}, "status": status}


def pod(*images, inits=(), volumes=()):
    containers = [{"name": f"c{i}", "image": name} for i, name in enumerate(images)]
    init = [{"name": f"i{i}", "image": name} for i, name in enumerate(inits)]
    metadata = {"name": "p", "namespace": "d", "uid": "u"}
    mounted = [{"name": name, "image": {"reference": name}} for name in volumes]
    spec = {"containers": containers, "initContainers": init, "volumes": mounted}
    return signature({"metadata": metadata, "spec": spec})


def cluster_of(*images):
    cluster = Cluster()
    for i, reported in enumerate(images):
        cluster.nodes.put_node(node(f"n{i}", reported))
    return cluster


def scores(cluster, new):
    rows = cluster.nodes.row_numbers[: cluster.nodes.size]
    score = PLUGIN.relation.prepare(cluster, new).score(rows)
    return [0] * rows.size if score is None else score.tolist()


def share(mib, containers):
    return 100 * (mib * MIB - 23 * MIB) // (1000 * containers * MIB - 23 * MIB)


CASES = {
    "the larger of two images on two nodes": (pod("gcr.io/40", "gcr.io/250"), (SOME, OTHERS), [0, share(125, 2)]),
    "both images on one node": (pod("gcr.io/40", "gcr.io/300"), (SOME, OTHERS), [share(170, 2), 0]),
    "a huge one, small ones do not count": (pod("gcr.io/10", "gcr.io/2000"), (SOME, OTHERS), [share(1000, 2), 0]),
    "a third node has none": (pod("gcr.io/10", "gcr.io/2000"), (SOME, OTHERS, []), [32, 0, 0]),
    "images of init containers": (
        pod("gcr.io/300", inits=["gcr.io/40"]),
        (SOME, OTHERS),
        [share(170, 2), 0],
    ),
    "image volumes count like containers": (
        pod("gcr.io/300", volumes=["gcr.io/40"]),
        (SOME, OTHERS),
        [share(170, 2), 0],
    ),
    "no more than 1000 MiB a container": (pod("gcr.io/2000"), (SOME, SOME), [100, 100]),
    "the same image twice counts twice": (pod("gcr.io/600", "gcr.io/600"), (HUGE,), [share(1200, 2)]),
    "unknown images": (pod("nowhere"), (SOME, OTHERS), [0, 0]),
}


@pytest.mark.parametrize("case", CASES)
def test_score(case):
    new, nodes, want = CASES[case]
    assert scores(cluster_of(*nodes), new) == want


def test_names_are_completed_by_the_tag():
    digest = "root@sha256:" + "ab" * 32
    given = ("root", "gcr.io:5000/root", "root:tag", digest)
    assert image_names(given) == ("root:latest", "gcr.io:5000/root:latest", "root:tag", digest)


def test_pods_of_unknown_images_are_not_concerned():
    assert not PLUGIN.relation.concerns(cluster_of([], SOME), pod("nowhere"))
    assert not PLUGIN.relation.concerns(cluster_of([], []), pod("gcr.io/40"))
    assert PLUGIN.relation.concerns(cluster_of([], SOME), pod("nowhere", "gcr.io/40"))


def test_a_report_of_images_is_no_change_of_the_node_yet_counts_from_then_on():
    cluster = cluster_of([], [])
    engine = Engine(cluster, Profile(), 0)
    new = pod("gcr.io/2000")
    before = engine.totals(new).tolist()
    positions = (cluster.nodes.changes.position, cluster.nodes.node_changes.position)
    assert not cluster.nodes.put_node(node("n1", SOME))
    assert (cluster.nodes.changes.position, cluster.nodes.node_changes.position) == positions
    assert engine.totals(new).tolist() == [before[0], before[1] + share(1000, 1)]
    assert not cluster.nodes.put_node(node("n0", SOME))
    assert engine.totals(new).tolist() == [before[0] + 100, before[1] + 100]
    assert not cluster.nodes.put_node(node("n1", OTHERS))
    assert engine.totals(new).tolist() == [before[0] + share(1000, 1), before[1]]


def test_images_leave_with_their_node():
    cluster = cluster_of(SOME, SOME)
    cluster.nodes.remove_node("n0")
    assert cluster.nodes.images.by_name["gcr.io/40:v1"].rows == {1}
    cluster.nodes.remove_node("n1")
    assert not cluster.nodes.images.by_name


def test_the_size_is_that_of_the_first_report_until_nobody_else_has_it():
    cluster = cluster_of([image(100, "a:1")], [image(200, "a:1")])
    known = cluster.nodes.images.by_name
    assert known["a:1"].size == 100 * MIB
    cluster.nodes.put_node(node("n1", [image(300, "a:1")]))
    assert known["a:1"].size == 100 * MIB
    stamp = cluster.nodes.images.stamp("a:1")
    cluster.nodes.put_node(node("n0", []))
    cluster.nodes.put_node(node("n1", [image(200, "a:1")]))
    assert known["a:1"].size == 200 * MIB
    assert cluster.nodes.images.stamp("a:1") != stamp
