"""Answers held against those recorded from a real kube-apiserver v1.36.2 (data/errors.jsonl, data/defaults)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from api_harness import IMAGE, MERGE, Http, Running

DATA = Path(__file__).parent / "data"
CT = "/api/v1/namespaces/ct"
COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Pod": f"{CT}/pods",
    "ConfigMap": f"{CT}/configmaps",
    "Secret": f"{CT}/secrets",
    "Service": f"{CT}/services",
    "LimitRange": f"{CT}/limitranges",
    "ResourceQuota": f"{CT}/resourcequotas",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "PersistentVolumeClaim": f"{CT}/persistentvolumeclaims",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/ct/endpointslices",
    "ServiceAccount": f"{CT}/serviceaccounts",
    "Event": f"{CT}/events",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/ct/horizontalpodautoscalers",
    "DaemonSet": "/apis/apps/v1/namespaces/ct/daemonsets",
    "StatefulSet": "/apis/apps/v1/namespaces/ct/statefulsets",
    "CronJob": "/apis/batch/v1/namespaces/ct/cronjobs",
    "Job": "/apis/batch/v1/namespaces/ct/jobs",
    "Deployment": "/apis/apps/v1/namespaces/ct/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/ct/replicasets",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/ct/leases",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/ct/poddisruptionbudgets",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/ct/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/ct/rolebindings",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
}


async def furnish(http: Http) -> None:
    """The objects that were there when the answers were recorded."""
    one = [{"name": "c", "image": IMAGE, "ports": [{"containerPort": 80}]}]
    two = [{"name": "a", "image": IMAGE}, {"name": "b", "image": IMAGE}]
    labels = {"app": "rs1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": IMAGE}]}}
    for kind, name, rest in (
        ("Namespace", "ct", {}),
        ("Node", "node1", {}),
        ("PriorityClass", "ctpc", {"value": 100}),
        ("ConfigMap", "cm1", {"data": {"a": "1", "b": "2"}}),
        ("Secret", "s2", {"data": {"pw": "eA=="}}),
        ("Pod", "web", {"spec": {"terminationGracePeriodSeconds": 1, "nodeName": "node1", "containers": one}}),
        (
            "Pod",
            "two",
            {"spec": {"nodeName": "node1", "initContainers": [{"name": "i", "image": IMAGE}], "containers": two}},
        ),
        ("Pod", "ip", {"spec": {"nodeName": "node1", "containers": [{"name": "ip", "image": IMAGE}]}}),
        ("Service", "websvc", {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        ("ReplicaSet", "rs1", {"spec": {"selector": {"matchLabels": labels}, "template": template}}),
    ):
        path = f"{COLLECTIONS[kind]}?fieldManager=kubectl-client-side-apply"
        answer = await http("POST", path, {"metadata": {"name": name}, **rest})
        assert answer.code == 201, answer.text
    for name, container, state in (
        ("ip", "ip", {"waiting": {"reason": "ImagePullBackOff"}}),
        ("web", "c", {"running": {}}),
    ):
        status = {"name": container, "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        body = {"status": {"containerStatuses": [status]}}
        assert (await http("PATCH", f"{CT}/pods/{name}/status", body, MERGE)).code == 200


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, str):
        return value
    value = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", value)
    value = re.sub(r"Bad_\w{5}", "Bad_RAND", value)
    value = re.sub(r"kube-api-access-\w{5}", "kube-api-access-RAND", value)
    value = re.sub(r"record \(\d+\)", "record (N)", value)
    value = re.sub(r"(previously negative\))\n.*", r"\1", value, flags=re.S)
    return re.sub(r"current: \d+", "current: N", value)


async def test_errors_are_worded_as_the_real_server_words_them(http: Http) -> None:
    await furnish(http)
    cases = [json.loads(line) for line in (DATA / "errors.jsonl").read_text().splitlines()]
    wrong = []
    for case in cases:
        answer = await http(case["method"], case["path"], case.get("request"), case.get("headers"))
        warnings = [value for key, value in answer.headers if key == "warning"]
        said = comparable(answer.json) if "body" in case and isinstance(case["body"], dict) else answer.text
        if (
            answer.code != case["code"]
            or ("body" in case and said != case["body"])
            or ("warning" in case and case["warning"] not in warnings)
        ):
            wrong.append((case["case"], answer.code, answer.text))
    assert len(cases) > 200
    assert wrong == []


@pytest.mark.parametrize("name", sorted(path.stem for path in (DATA / "defaults").iterdir()))
async def test_defaults_are_those_of_the_real_server(api: Running, name: str) -> None:
    await furnish(api.http)
    case = json.loads((DATA / "defaults" / f"{name}.json").read_text())
    answer = await api.http("POST", COLLECTIONS[case["in"]["kind"]] + "?dryRun=All&fieldManager=ex", case["in"])
    assert answer.code == 201, answer.text
    got = answer.json
    for field in ("uid", "creationTimestamp"):
        del got["metadata"][field]
    for entry in got["metadata"].get("managedFields", []):
        del entry["time"]
    got.get("status", {}).pop("lastPhaseTransitionTime", None)
    assert comparable(got) == comparable(case["out"])
