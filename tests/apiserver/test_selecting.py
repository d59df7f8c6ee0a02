"""What each kind can be selected by, and how the values read."""

import pytest
from sampan_api.client import EVENTS, NODES, PODS, REPLICASETS, SECRETS
from sampan_api.errors import BadRequest
from sampan_api.selectors import FieldSelector, parse_fields
from sampan_master.apiserver.registry.selecting import select
from sampan_master.apiserver.resources.resource_type import ResourceType
from sampan_master.apiserver.resources.table import BUILT_IN

_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
FIELDS = {
    ("", "Pod"): {
        "spec.nodeName",
        "spec.host",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    },
    ("", "Node"): {"spec.unschedulable"},
    ("", "Namespace"): {"status.phase"},
    ("", "Secret"): {"type"},
    ("", "Service"): {"spec.clusterIP", "spec.type"},
    ("", "ReplicationController"): {"status.replicas"},
    ("", "Event"): {
        *(f"involvedObject.{field}" for field in _INVOLVED), "reason", "reportingComponent", "source", "type",
    },
    ("events.k8s.io", "Event"): {
        *(f"regarding.{field}" for field in _INVOLVED), "reason", "reportingController", "type",
    },
    ("apps", "ReplicaSet"): {"status.replicas"},
    ("batch", "Job"): {"status.successful"},
    ("certificates.k8s.io", "CertificateSigningRequest"): {"spec.signerName"},
}  # fmt: skip


@pytest.mark.parametrize("rt", BUILT_IN.types, ids=lambda rt: rt.qualified)
def test_each_kind_is_selected_by_the_fields_that_kubernetes_allows(rt: ResourceType) -> None:
    assert set(rt.field_selectors) == FIELDS.get((rt.group, rt.kind), set())


@pytest.mark.parametrize(
    ("resource", "obj", "fields"),
    [
        (PODS, {"spec": {"hostNetwork": True}}, "spec.hostNetwork=true"),
        (PODS, {"spec": {}}, "spec.hostNetwork=false,spec.nodeName=,status.podIP="),
        (PODS, {"spec": {}, "status": {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "::1"}]}}, "status.podIPs=10.0.0.1\\,::1"),
        (PODS, {"spec": {}, "status": {"phase": "Running"}}, "status.phase!=Succeeded,status.phase!=Failed"),
        (NODES, {"spec": {}}, "spec.unschedulable=false"),
        (NODES, {"spec": {"unschedulable": True}}, "spec.unschedulable==true,spec.unschedulable!=false"),
        (SECRETS, {"type": "Opaque"}, "type=Opaque,metadata.namespace=d"),
        (EVENTS, {"involvedObject": {"uid": "u", "kind": "Pod"}}, "involvedObject.uid=u,involvedObject.kind=Pod"),
        (EVENTS, {"source": {"component": "kubelet"}}, "source=kubelet,involvedObject.namespace="),
        (EVENTS, {"reportingComponent": "scheduler"}, "source=scheduler,reportingComponent=scheduler,"),
        (REPLICASETS, {"status": {"replicas": 3}}, "status.replicas=3"),
        (REPLICASETS, {"status": {}}, "status.replicas=0"),
    ],
)  # fmt: skip
def test_fields_read_as_kubernetes_prints_them(resource, obj: dict, fields: str) -> None:
    whole = {**obj, "metadata": {"name": "x", "namespace": "d"}}
    matches = select(BUILT_IN.of(resource), None, fields=fields).matches
    assert matches is not None
    assert matches(whole)
    for one in parse_fields(fields).requirements:
        opposite = FieldSelector((one._replace(operator="!=" if one.operator == "=" else "="),))
        matches = select(BUILT_IN.of(resource), None, fields=str(opposite)).matches
        assert matches is not None
        assert not matches(whole)


@pytest.mark.parametrize(
    ("labels", "matching"),
    [
        ("app=web", True),
        ("app==web,tier!=be", True),
        ("app in (web, api),tier notin (be)", True),
        ("app,!tier", True),
        ("app notin (web)", False),
        ("tier", False),
        ("tier!=x", True),
        ("n>2,n<9", True),
        ("n>5", False),
        ("", None),
    ],
)
def test_set_based_label_selectors(labels: str, matching: bool | None) -> None:
    matches = select(BUILT_IN.of(PODS), "d", labels).matches
    obj = {"metadata": {"name": "x", "namespace": "d", "labels": {"app": "web", "n": "5"}}}
    assert (None if matches is None else matches(obj)) is matching


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("app=web,", "found '', expected: identifier after ','"),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
    ],
)
def test_a_label_selector_that_is_none(labels: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        select(BUILT_IN.of(PODS), "d", labels)
    assert str(refused.value) == said


def test_a_selector_of_one_name_or_one_namespace_narrows_where_to_look() -> None:
    pods = BUILT_IN.of(PODS)
    assert select(pods, "d", fields="metadata.name=web,").prefix(pods) == "/registry/pods/d/web"
    assert select(pods, None, fields="metadata.name=web").prefix(pods) == "/registry/pods/"
    assert select(pods, None, fields="metadata.namespace=d,metadata.name=web").prefix(pods) == "/registry/pods/d/web"
    assert select(pods, "d", fields="metadata.name!=web").prefix(pods) == "/registry/pods/d/"
