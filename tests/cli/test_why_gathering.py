"""What `sampan why` asks of an API server, and what it makes of the answers, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sampan_api.kubeconfig import Access
from sampan_cli.discovery import Discovery
from sampan_cli.errors import ServerError
from sampan_cli.rest import Api
from sampan_cli.session import Session
from sampan_cli.why import diagnosis
from sampan_cli.why.diagnosis import Diagnosis
from sampan_cli.why.findings import Cause
from sampan_cli.why.gather import Gatherer
from why_samples import NOW, STAMP, event, pod, waiting, with_state

PREFIX = "/k8s/clusters/c-1"
"""The path that the servers' URLs have: behind a gateway one host serves several clusters."""
PODS, EVENTS = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/events"
WHY = "/sampan/v1/why"
SETS = "/apis/apps/v1/namespaces/default/replicasets"


class Cluster:
    """Answers by path; what is not there is a 404. `asked` are the requests, without the prefix of the URL."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, str, Any]] = []

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        url = urlsplit(target)
        path = url.path.removeprefix(PREFIX)
        asked = json.loads(body) if body else {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked.append((method, path, asked))
        found = self.answers.get(path)
        if callable(found):
            found = found(asked)
        if not url.path.startswith(PREFIX) or found is None:
            return 404, json.dumps({"kind": "Status", "code": 404, "reason": "NotFound"}).encode()
        if isinstance(found, tuple):
            return found[0], json.dumps({"kind": "Status", "code": found[0], **found[1]}).encode()
        return 200, found.encode() if isinstance(found, str) else json.dumps(found).encode()

    def requests(self, path: str) -> list[Any]:
        return [asked for _, to, asked in self.asked if to == path]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def session(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            code, body = cluster.answer(self.command, self.path, self.rfile.read(length))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        api = Api(Access(f"http://127.0.0.1:{server.server_address[1]}{PREFIX}"), timeout=5)
        yield Session(api, Discovery(api), "default", False)
        server.shutdown()


@pytest.fixture
def why(session: Session) -> Callable[[dict[str, Any]], Diagnosis]:
    return lambda obj: diagnosis.of(obj, Gatherer(session, session.api, NOW), NOW)


Why = Callable[[dict[str, Any]], Diagnosis]


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items)}


def unplaced(name: str = "x", uid: str = "u", **metadata: Any) -> dict[str, Any]:
    """A pod without a node, as a list has it: without its kind."""
    made = pod()
    del made["spec"]["nodeName"], made["kind"]
    made["metadata"] |= {"name": name, "uid": uid, **metadata}
    return made


def owned(by: str, **fields: Any) -> dict[str, Any]:
    return {"ownerReferences": [{"uid": by}], **fields}


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "default", "uid": "w", "generation": 1, "creationTimestamp": STAMP}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, **spec}
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": {"observedGeneration": 1}}


def refused(asked: dict[str, Any]) -> dict[str, Any]:
    change = {"plugin": "NodeResourcesFit", "reason": "Insufficient cpu", "need": "cpu: 4", "have": "1", "fix": "less"}
    refusal = {**change, "count": 1, "nodes": ["n1"]}
    return {"pod": asked["name"], "total": 1, "refusals": [refusal], "nearest": {"node": "n1", "changes": [change]}}


@pytest.mark.parametrize(
    ("state", "query"),
    [
        (waiting("CrashLoopBackOff", "", {"exitCode": 1}), {}),
        (with_state({"terminated": {"exitCode": 1}}), {}),
        (with_state({"running": {"startedAt": STAMP}}, {"exitCode": 1}, ready=False), {"previous": "true"}),
        (with_state({"running": {"startedAt": STAMP}}, {"exitCode": 1}, ready=True), None),
        (with_state({"running": {"startedAt": STAMP}}, ready=False), None),
        (with_state({"terminated": {"exitCode": 0}}), None),
        (waiting("ContainerCreating"), None),
    ],
)
def test_the_log_of_the_run_that_failed_is_asked_for(
    cluster: Cluster, why: Why, state: dict[str, Any], query: dict[str, str] | None
) -> None:
    cluster.answers[f"{PODS}/x/log"] = "no database\n"
    cluster.answers["/api/v1/nodes/n1"] = {"metadata": {"name": "n1"}, "status": {"conditions": [READY]}}
    found = why(pod(phase="Running", containerStatuses=[state])).findings[0]
    asked = cluster.requests(f"{PODS}/x/log")
    assert asked == ([] if query is None else [{"container": "c", "tailLines": "5", **query}])
    assert ("log: no database" in found.evidence) is (query is not None)


READY = {"type": "Ready", "status": "True"}


def test_the_log_of_an_init_container_that_runs_is_asked_for_and_done_without_if_it_cannot_be_read(
    cluster: Cluster, why: Why
) -> None:
    cluster.answers["/api/v1/nodes/n1"] = {"metadata": {"name": "n1"}, "status": {"conditions": [READY]}}
    running = {**with_state({"running": {"startedAt": STAMP}}), "name": "init"}
    (found,) = why(pod({"initContainers": [{"name": "init"}]}, initContainerStatuses=[running])).findings
    assert (found.cause, found.evidence) == (Cause.INIT_CONTAINER_RUNS, ())
    assert len(cluster.requests(f"{PODS}/x/log")) == 1


def test_the_events_of_the_pod_itself_are_asked_for(cluster: Cluster, why: Why) -> None:
    mount = event("FailedMount", 'MountVolume.SetUp failed for volume "v" : secret "tls" not found', "")
    cluster.answers |= {
        EVENTS: listed(mount),
        "/api/v1/nodes/n1": {"metadata": {"name": "n1"}, "status": {"conditions": [READY]}},
    }
    (found,) = why(pod(containerStatuses=[waiting("ContainerCreating")])).findings
    assert found.cause is Cause.MISSING_SECRET
    assert cluster.requests(EVENTS) == [
        {"fieldSelector": "involvedObject.kind=Pod,involvedObject.name=x,involvedObject.uid=u"}
    ]


def test_the_nodes_are_all_asked_for_only_where_images_are_compared(cluster: Cluster, why: Why) -> None:
    node = {"metadata": {"name": "n1"}, "status": {"conditions": [READY], "images": [{"names": ["apps:1"]}]}}
    cluster.answers |= {"/api/v1/nodes": listed(node), "/api/v1/nodes/n1": node}
    (found,) = why(pod(containerStatuses=[waiting("ErrImagePull", "not found")])).findings
    assert (found.cause, 'did you mean "apps:1"?' in found.fix) == (Cause.IMAGE_NOT_FOUND, True)
    assert cluster.requests("/api/v1/nodes/n1") == []
    why(pod(containerStatuses=[waiting("CreateContainerError", "no")]))
    assert len(cluster.requests("/api/v1/nodes")) == len(cluster.requests("/api/v1/nodes/n1")) == 1
    cluster.answers["/api/v1/nodes"] = (403, {"reason": "Forbidden"})
    (found,) = why(pod(initContainerStatuses=[waiting("ErrImagePull", "not found")])).findings
    assert len(cluster.requests("/api/v1/nodes/n1")) == 2


def test_of_many_replicas_the_scheduler_is_asked_about_the_first_that_it_refuses(cluster: Cluster, why: Why) -> None:
    placed = {**pod(), "metadata": {**unplaced("placed", "p")["metadata"], **owned("w")}}
    replicas = [unplaced(f"x{i}", f"u{i}", **owned("w")) for i in range(3)]
    stranger = unplaced("stranger", "s", **owned("another"))
    cluster.answers |= {PODS: listed(stranger, placed, *replicas), WHY: refused}
    told = why(workload("ReplicaSet", replicas=4))
    assert cluster.requests(WHY) == [{"namespace": "default", "name": "x0"}]
    assert told.asked.verdict == refused({"name": "x0"})
    assert [f.cause for f in told.findings if f.text.startswith("3 of 4 pods: ")] == [Cause.INSUFFICIENT_RESOURCES]
    assert cluster.requests(PODS) == [{"labelSelector": "app=web"}]


def test_it_is_asked_about_three_pods_at_most(cluster: Cluster, why: Why) -> None:
    cluster.answers |= {PODS: listed(*(unplaced(f"x{i}", f"u{i}", **owned("w")) for i in range(5)))}
    cluster.answers[WHY] = {"state": "Queued", "refusals": []}
    why(workload("ReplicaSet", replicas=5))
    assert [asked["name"] for asked in cluster.requests(WHY)] == ["x0", "x1", "x2"]


def test_an_object_without_pods_asks_for_no_events_of_pods(cluster: Cluster, why: Why) -> None:
    cluster.answers[PODS] = listed()
    assert why(workload("ReplicaSet", replicas=0)).findings[0].cause is Cause.NOTHING_WRONG
    assert all("involvedObject.uid=w" in asked["fieldSelector"] for asked in cluster.requests(EVENTS))


def test_each_pod_is_told_with_its_own_events(cluster: Cluster, why: Why) -> None:
    starting = [{**pod(), "metadata": {**unplaced(f"x{i}", f"u{i}")["metadata"], **owned("w")}} for i in range(2)]
    mount = event("FailedMount", 'secret "tls" not found', "")
    mount["involvedObject"]["uid"] = "u1"
    cluster.answers |= {
        PODS: listed(*starting),
        "/api/v1/nodes/n1": {"metadata": {"name": "n1"}, "status": {"conditions": [READY]}},
    }
    cluster.answers[EVENTS] = lambda asked: listed(
        *([mount] if asked["fieldSelector"] == "involvedObject.kind=Pod" else [])
    )
    told = why(workload("ReplicaSet", replicas=2)).findings
    assert {f.cause: f.text.partition(":")[0] for f in told} == {
        Cause.STARTING: "1 of 2 pods",
        Cause.MISSING_SECRET: "1 of 2 pods",
    }


def test_a_deployment_tells_what_its_own_sets_and_their_pods_suffer(cluster: Cluster, why: Why) -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: q"}
    mine = {"metadata": {"name": "web-1", "namespace": "default", "uid": "s1", **owned("w")}, "spec": {},
            "status": {"conditions": [failure]}}  # fmt: skip
    other = {"metadata": {"name": "mail-1", "namespace": "default", "uid": "s2", **owned("m")}, "spec": {}}
    gated = {"spec": {"schedulingGates": [{"name": "g"}], "containers": []}}
    cluster.answers |= {
        SETS: listed(other, mine),
        PODS: listed(unplaced("p1", "p1", **owned("s1")) | gated, unplaced("p2", "p2", **owned("s2"))),
    }
    told = why(workload("Deployment")).findings
    assert [f.cause for f in told] == [Cause.QUOTA, Cause.SCHEDULING_GATED]
    assert told[1].text.startswith("1 of 1 pod: ")


def test_a_pod_that_went_while_it_was_asked_about_is_an_error_and_a_server_without_the_path_is_not(
    cluster: Cluster, why: Why
) -> None:
    asking = {"kind": "Pod", **unplaced()}
    cluster.answers[WHY] = (404, {"reason": "NotFound", "details": {"name": "x"}})
    with pytest.raises(ServerError):
        why(asking)
    cluster.answers[WHY] = (404, {"reason": "NotFound", "details": {"name": "another"}})
    assert why(asking).asked.note == "this server does not answer for its scheduler"


def test_a_server_that_fails_is_not_taken_for_one_that_has_nothing(cluster: Cluster, why: Why) -> None:
    cluster.answers[EVENTS] = (500, {"reason": "InternalError"})
    with pytest.raises(ServerError):
        why(pod())
    cluster.answers |= {EVENTS: listed(), "/api/v1/nodes/n1": (500, {"reason": "InternalError"})}
    with pytest.raises(ServerError):
        why(pod())


def test_the_pods_that_make_room_are_looked_for_on_the_node_that_was_promised(cluster: Cluster, why: Why) -> None:
    asking = {"kind": "Pod", **unplaced()}
    asking["status"]["nominatedNodeName"] = "n7"
    preempted = [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
    there = [
        {"metadata": {"name": name, "namespace": "d", **more}, "status": {"conditions": preempted}}
        for name, more in (("stays", {}), ("goes", {"deletionTimestamp": STAMP}))
    ]
    cluster.answers |= {"/api/v1/pods": listed(*there), WHY: refused}
    (found,) = why(asking).findings
    assert cluster.requests("/api/v1/pods") == [{"fieldSelector": "spec.nodeName=n7"}]
    assert "It waits for 1 pod to end." in found.text
    assert found.evidence[0].startswith("d/goes ")


def test_leases_are_asked_for_only_where_the_scheduler_does_not_answer(cluster: Cluster, why: Why) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler"
    spec = {"holderIdentity": "m", "renewTime": "2023-11-14T22:13:18Z", "leaseDurationSeconds": 15}
    cluster.answers[path] = {"metadata": {"name": "kube-scheduler"}, "spec": spec}
    (found,) = why({"kind": "Pod", **unplaced()}).findings
    assert (found.cause, "which is alive" in found.text) == (Cause.WAITING_FOR_SCHEDULER, True)
    cluster.answers[WHY] = {"state": "Queued"}
    cluster.asked.clear()
    why({"kind": "Pod", **unplaced()})
    assert cluster.requests(path) == []


def selecting(kind: str, selector: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": selector}}


def test_what_selects_nothing_is_compared_with_all_pods_of_its_namespace(cluster: Cluster, why: Why) -> None:
    other = unplaced("near", labels={"app": "wbe"})
    cluster.answers[PODS] = lambda asked: listed(*([] if "labelSelector" in asked else [other]))
    (found,) = why(selecting("Service", {"app": "web"})).findings
    assert (found.cause, found.evidence) == (Cause.SELECTS_NOTHING, ("pod/near has app=wbe",))
    assert cluster.requests(PODS) == [{"labelSelector": "app=web"}, {}]


def test_what_selects_pods_tells_what_holds_them_up(cluster: Cluster, why: Why) -> None:
    cluster.answers |= {PODS: listed(unplaced()), WHY: refused}
    told = why(selecting("Service", {"app": "web"}))
    assert [f.cause for f in told.findings] == [Cause.NOT_READY, Cause.INSUFFICIENT_RESOURCES]
    assert told.asked.verdict is not None
    assert cluster.requests(PODS) == [{"labelSelector": "app=web"}]


def aggregated(*kinds: tuple[str, str, bool]) -> dict[str, Any]:
    resources = [
        {
            "resource": plural,
            "responseKind": {"kind": kind},
            "scope": "Namespaced" if namespaced else "Cluster",
            "verbs": ["list"],
        }
        for plural, kind, namespaced in kinds
    ]
    versions = [{"version": "v1", "resources": resources}]
    return {"kind": "APIGroupDiscoveryList", "items": [{"metadata": {}, "versions": versions}]}


def contents(cluster: Cluster, **answers: Any) -> None:
    kinds = (
        ("pods", "Pod", True),
        ("events", "Event", True),
        ("configmaps", "ConfigMap", True),
        ("nodes", "Node", False),
    )
    cluster.answers |= {"/api": aggregated(*kinds), "/apis": {"kind": "APIGroupDiscoveryList", "items": []}}
    cluster.answers |= {f"/api/v1/namespaces/default/{plural}": listed(*items) for plural, items in answers.items()}


def test_a_namespace_that_goes_names_what_has_finalizers_in_it(cluster: Cluster, why: Why) -> None:
    held = {"metadata": {"name": "kept", "finalizers": ["a/b"]}}
    contents(cluster, configmaps=[held, {"metadata": {"name": "free"}}], pods=[], events=[held])
    remaining = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "a/b in 1"}
    namespace = {"kind": "Namespace", "metadata": {"name": "default", "deletionTimestamp": STAMP}, "spec": {},
                 "status": {"conditions": [remaining]}}  # fmt: skip
    (found,) = why(namespace).findings
    assert found.evidence == ("deletion was asked for 10s ago", "configmap/kept has finalizers a/b")
    assert "sampan why -n default configmap/kept" in found.fix
    assert cluster.requests(EVENTS) == cluster.requests("/api/v1/nodes") == []


def test_dependents_are_looked_for_only_in_a_deletion_that_waits_for_them(cluster: Cluster, why: Why) -> None:
    reference = {"uid": "w", "blockOwnerDeletion": True}
    mine = {"metadata": {"name": "one", "ownerReferences": [reference]}}
    contents(cluster, pods=[mine, {"metadata": {"name": "two"}}], configmaps=[])
    goes = workload("ReplicaSet")
    goes["metadata"] |= {"deletionTimestamp": STAMP, "finalizers": ["foregroundDeletion"]}
    (found,) = why(goes).findings
    assert (found.cause, "waits for 1 dependents to go first: pod/one." in found.text) == (
        Cause.FOREGROUND_DELETION,
        True,
    )
    cluster.asked.clear()
    goes["metadata"]["finalizers"] = ["a/b"]
    (found,) = why(goes).findings
    assert found.cause is Cause.FINALIZERS
    assert cluster.asked == []


def test_a_node_is_told_with_its_lease(cluster: Cluster, why: Why) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1"
    node = {"kind": "Node", "metadata": {"name": "n1"}, "spec": {}, "status": {"conditions": []}}
    assert "never heard of" in why(node).findings[0].text
    cluster.answers[path] = {"metadata": {"name": "n1"}, "spec": {"renewTime": STAMP}}
    assert "last heard of 10s ago" in why(node).findings[0].text


def test_other_kinds_tell_each_warning_once_and_that_they_are_not_ready(cluster: Cluster, why: Why) -> None:
    def warned(reason: str, message: str, second: int, kind: str = "Warning") -> dict[str, Any]:
        return {"type": kind, "reason": reason, "message": message, "lastTimestamp": f"2023-11-14T22:13:{second:02}Z"}

    cluster.answers[EVENTS] = listed(
        warned("Slow", "new", 9), warned("Slow", "old", 1), warned("Odd", "x", 5), warned("Fine", "y", 7, "Normal")
    )
    claim = {"kind": "Claim", "metadata": {"name": "c", "namespace": "default", "uid": "u"},
             "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Waits"}]}}  # fmt: skip
    assert {f.text for f in why(claim).findings} == {
        "claim/c is not Ready: Waits",
        "claim/c: Slow: new",
        "claim/c: Odd: x",
    }
    assert why(claim).findings[0].cause is Cause.NOT_READY
    cluster.answers[EVENTS] = listed()
    claim["status"] = {"conditions": [READY]}
    assert [f.cause for f in why(claim).findings] == [Cause.NOTHING_WRONG]
