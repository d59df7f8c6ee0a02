"""Why other things do not get on: pods without a node, what makes pods, namespaces, nodes; and how it is told."""

from __future__ import annotations

from typing import Any

import pytest
from sampan_cli.discovery import Discovery
from sampan_cli.errors import ServerError
from sampan_cli.session import Session
from sampan_cli.why import diagnosis, namespaces, nodes, printing, scheduling, selecting, workloads
from sampan_cli.why.facts import PodFacts
from sampan_cli.why.findings import Cause, Finding
from sampan_cli.why.gather import Gatherer, selector_text
from sampan_cli.why.workloads import WorkloadFacts

NOW = 1_700_000_000.0
STAMP = "2023-11-14T22:13:10Z"
"""Ten seconds before NOW."""


def pending(message: str = "", spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {
        "kind": "Pod",
        "metadata": {"name": "x", "namespace": "default", "uid": "u", "creationTimestamp": STAMP},
        "spec": {"schedulerName": "default-scheduler", "containers": [{"name": "c"}], **(spec or {})},
        "status": {"phase": "Pending", **({"conditions": [said]} if message else {}), **status},
    }


def lease(name: str, renewed: str) -> dict[str, Any]:
    spec = {"holderIdentity": "m1", "renewTime": renewed, "leaseDurationSeconds": 15}
    return {"metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("message", "causes"),
    [
        ("0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims "
         "found for incoming pod.", [Cause.INSUFFICIENT_RESOURCES]),
        ("0/9 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 "
         "Insufficient memory, 6 node(s) didn't match Pod's node affinity/selector. preemption: 0/9 nodes are "
         "available: 9 Preemption is not helpful for scheduling.",
         [Cause.NODE_AFFINITY, Cause.INSUFFICIENT_RESOURCES, Cause.UNTOLERATED_TAINT]),
        ("0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.", [Cause.POD_ANTI_AFFINITY]),
        ("0/3 nodes are available: 3 node(s) didn't match pod affinity rules.", [Cause.POD_AFFINITY]),
        ("0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints.", [Cause.TOPOLOGY_SPREAD]),
        ("0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.",
         [Cause.PORT_CONFLICT]),
        ("0/1 nodes are available: 1 node(s) were unschedulable.", [Cause.NODE_CORDONED]),
        ("0/4 nodes are available: 4 node(s) had volume node affinity conflict.", [Cause.NODE_AFFINITY]),
        ("0/1 nodes are available: 1 Too many pods.", [Cause.INSUFFICIENT_RESOURCES]),
        ("no nodes available to schedule pods", [Cause.NO_NODES]),
        ('running PreBind plugin "VolumeBinding": context deadline exceeded', [Cause.UNSCHEDULABLE]),
    ],
)  # fmt: skip
def test_kubernetes_own_sentence_is_taken_apart_where_the_scheduler_cannot_be_asked(
    message: str, causes: list[Cause]
) -> None:
    found = scheduling.findings(PodFacts(pending(message), NOW))
    assert [f.cause for f in found] == causes
    assert message in found[0].evidence


def test_the_changes_of_the_nearest_node_are_the_causes() -> None:
    change = {"plugin": "NodeResourcesFit", "reason": "Insufficient cpu", "need": "cpu: 4",
              "have": "3500m free of 4", "fix": "lower the cpu request from 4 to 3500m"}  # fmt: skip
    refusal = {**change, "count": 3, "nodes": ["n1", "n2", "n3"]}
    verdict = {"total": 3, "message": "0/3 nodes …", "refusals": [refusal], "attempts": 2,
               "nearest": {"node": "n2", "changes": [change]}, "scheduler": "default-scheduler"}  # fmt: skip
    found = scheduling.findings(PodFacts(pending("0/3 nodes …"), NOW, verdict=verdict))
    assert [(f.cause, f.fix) for f in found] == [
        (Cause.INSUFFICIENT_RESOURCES, "lower the cpu request from 4 to 3500m")
    ]
    assert "n2" in found[0].text
    table = printing.verdict(verdict, 120)
    assert "n1,n2,n3   NodeResourcesFit   cpu: 4   3500m free of 4   lower the cpu request" in table
    assert "  0/3 nodes …\n" in table
    assert "Nearest node: n2, 1 change away:\n  1. lower the cpu request" in table
    assert printing.verdict(verdict, 120, found).splitlines()[1:] == table.splitlines()[2:4]


def test_a_verdict_that_is_too_wide_for_a_table_is_told_line_by_line() -> None:
    refusal = {"plugin": "TaintToleration", "need": "a toleration of a/b:NoSchedule", "have": "a/b:NoSchedule",
               "fix": "take it off", "count": 1, "nodes": ["n1"]}  # fmt: skip
    verdict = {"refusals": [refusal], "scheduler": "s"}
    assert printing.verdict(verdict, 80).splitlines() == [
        "Verdict of s:",
        "  n1   TaintToleration",
        "      need: a toleration of a/b:NoSchedule",
        "      have: a/b:NoSchedule",
        "      fix:  take it off",
    ]
    assert max(map(len, printing.verdict(verdict, 120).splitlines())) > 80


def test_refusals_that_differ_in_the_nodes_name_only_are_told_once() -> None:
    def lacking(name: str) -> dict[str, Any]:
        return {"plugin": "InterPodAffinity", "need": "a pod", "have": f"no such pod in host={name}",
                "fix": f"start one on {name}", "count": 1, "nodes": [name]}  # fmt: skip

    verdict = {"refusals": [lacking("n-1"), lacking("n-10"), {**lacking("n-2"), "have": "no label host"}]}
    table = printing.verdict(verdict, 200).splitlines()
    assert [line.split("   ")[0].strip() for line in table[2:]] == ["n-1,n-10", "n-2"]
    assert "no such pod in host=NODE" in table[2]


@pytest.mark.parametrize(
    ("key", "cause"),
    [
        ("gpu=yes", Cause.UNTOLERATED_TAINT),
        ("node.kubernetes.io/not-ready", Cause.NODE_NOT_READY),
        ("node.kubernetes.io/unreachable", Cause.NODE_SILENT),
        ("node.kubernetes.io/disk-pressure", Cause.NODE_PRESSURE),
    ],
)
def test_a_taint_that_tells_of_a_broken_node_is_the_nodes_cause(key: str, cause: Cause) -> None:
    change = {"plugin": "TaintToleration", "reason": "node(s) had untolerated taint(s)", "fix": "",
              "need": f"a toleration of {key}:NoSchedule", "have": f"{key}:NoSchedule"}  # fmt: skip
    refusal = {**change, "count": 1, "nodes": ["n1"]}
    verdict = {"total": 1, "refusals": [refusal], "nearest": {"node": "n1", "changes": [change]}}
    assert scheduling.findings(PodFacts(pending("x"), NOW, verdict=verdict))[0].cause is cause
    without = scheduling.findings(PodFacts(pending("x"), NOW, verdict={**verdict, "nearest": None}))
    assert without[0].cause is cause


class Refusing:
    """An API server that has pods and nothing else."""

    def __init__(self, code: int, **status: Any) -> None:
        self.code, self.status = code, {"kind": "Status", "code": code, **status}

    def call(self, method: str, path: str, *_: Any) -> Any:
        raise ServerError(self.code, self.status)

    def text(self, *_: Any) -> str:
        raise ServerError(self.code, self.status)


@pytest.mark.parametrize(
    ("api", "note"),
    [
        (Refusing(404), "this server does not answer for its scheduler"),
        (Refusing(405), "this server does not answer for its scheduler"),
        (Refusing(403, reason="Forbidden", message='User "x" cannot post path'),
         'the scheduler did not answer: User "x" cannot post path'),
    ],
)  # fmt: skip
def test_a_server_that_does_not_answer_leaves_what_the_pod_itself_says(api: Any, note: str) -> None:
    session = Session(api, Discovery(api), "default", False)
    message = "0/1 nodes are available: 1 Insufficient cpu."
    found = diagnosis.of(pending(message), Gatherer(session, api, NOW), NOW)
    assert (found.findings[0].cause, found.asked.verdict, found.asked.note) == (
        Cause.INSUFFICIENT_RESOURCES, None, note
    )  # fmt: skip


def test_gates_come_before_everything() -> None:
    found = scheduling.findings(PodFacts(pending("x", {"schedulingGates": [{"name": "a/b"}]}), NOW))
    assert (found[0].cause, "a/b" in found[0].text) == (Cause.SCHEDULING_GATED, True)


def test_a_pod_that_waits_for_its_victims_names_those_that_still_stop() -> None:
    metadata = {"name": "old", "namespace": "default", "deletionGracePeriodSeconds": 30}
    preempted = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}
    victim, other = {"metadata": metadata, "status": preempted}, {"metadata": {"name": "other"}}
    waiting = pending("0/3 nodes are available: 3 Insufficient cpu.", nominatedNodeName="n1")
    found = scheduling.findings(PodFacts(waiting, NOW, leaving=(other, victim)))
    assert found[0].cause is Cause.WAITING_FOR_PREEMPTION
    assert "waits for 1 pod " in found[0].text
    assert found[0].evidence[0] == "default/old is still stopping (grace period 30 s)"


@pytest.mark.parametrize(
    ("spec", "leases", "cause"),
    [
        ({"schedulerName": "mine"}, (), Cause.UNKNOWN_SCHEDULER),
        ({}, (), Cause.NO_SCHEDULER),
        ({}, (lease("kube-scheduler", "2023-11-14T22:00:00Z"),), Cause.NO_SCHEDULER),
        ({}, (lease("kube-scheduler", "2023-11-14T22:13:18.5Z"),), Cause.WAITING_FOR_SCHEDULER),
    ],
)
def test_a_pod_nobody_has_looked_at_says_which_scheduler_is_missing(
    spec: dict[str, Any], leases: tuple[dict[str, Any], ...], cause: Cause
) -> None:
    assert scheduling.findings(PodFacts(pending(spec=spec), NOW, leases=leases))[0].cause is cause


def workload(kind: str = "ReplicaSet", spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default", "uid": "w", "generation": 1, "creationTimestamp": STAMP},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, **(spec or {})},
        "status": {"observedGeneration": 1, **status},
    }


def failure(message: str, reason: str = "FailedCreate") -> list[dict[str, Any]]:
    return [{"type": "ReplicaFailure", "status": "True", "reason": reason, "message": message}]


@pytest.mark.parametrize(
    ("message", "cause", "word"),
    [
        ('pods "web-x" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=4, limited: cpu=4',
         Cause.QUOTA, "ResourceQuota"),
        ('pods "web-x" is forbidden: no PriorityClass with name urgent was found',
         Cause.MISSING_PRIORITY_CLASS, "urgent"),
        ('pods "web-" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found',
         Cause.MISSING_SERVICE_ACCOUNT, "robot"),
        ('pods "web-x" is forbidden: pod rejected: RuntimeClass "kata" not found',
         Cause.MISSING_RUNTIME_CLASS, "kata"),
        ('pods "web-x" is forbidden: violates PodSecurity "restricted:latest"', Cause.CREATION_FORBIDDEN, "template"),
        ('Pod "web-x" is invalid: spec.containers[0].image: Required value', Cause.CREATION_INVALID, "template"),
        ("Internal error occurred: failed calling webhook", Cause.CREATION_FAILED, "answered"),
    ],
)  # fmt: skip
def test_refused_creations_name_what_is_missing(message: str, cause: Cause, word: str) -> None:
    found = workloads.findings(WorkloadFacts(workload(conditions=failure(message)), NOW))
    assert found[0].cause is cause
    assert word in f"{found[0].text} {found[0].fix}"
    assert found[0].evidence == (message,)


def test_pods_with_the_same_cause_are_told_together() -> None:
    names = ("a", "b", "c")
    facts = [
        PodFacts({**(p := pending("0/1 nodes are available: 1 Insufficient cpu.")),
                  "metadata": {**p["metadata"], "name": name}}, NOW)
        for name in names
    ]  # fmt: skip
    gated = PodFacts(pending(spec={"schedulingGates": [{"name": "g"}]}), NOW)
    found = workloads.findings(WorkloadFacts(workload(spec={"replicas": 4}), NOW, pods=(*facts, gated)))
    assert [f.cause for f in found] == [Cause.INSUFFICIENT_RESOURCES, Cause.SCHEDULING_GATED]
    assert found[0].text.startswith("3 of 4 pods: ")
    assert found[0].evidence[0] == "pods: pod/a, pod/b, pod/c"


def test_an_object_no_controller_has_seen_says_so_and_an_old_one_that_it_lags() -> None:
    fresh = workload("Deployment")
    fresh["status"] = {}
    assert workloads.findings(WorkloadFacts(fresh, NOW))[0].cause is Cause.NO_CONTROLLER
    stale = workload()
    stale["metadata"]["generation"] = 3
    leases = (lease("kube-controller-manager", "2023-11-14T22:00:00Z"),)
    found = workloads.findings(WorkloadFacts(stale, NOW, leases=leases))
    assert found[0].cause is Cause.CONTROLLER_BEHIND
    assert "not alive" in found[0].evidence[0]


def test_pods_that_are_ready_but_not_for_long_enough_are_counted_down() -> None:
    ready = [{"type": "Ready", "status": "True", "lastTransitionTime": STAMP}]
    running = {"name": "c", "state": {"running": {"startedAt": STAMP}}, "lastState": {}, "ready": True}
    obj = {**pending(phase="Running", conditions=ready, containerStatuses=[running])}
    obj["spec"]["nodeName"] = "n1"
    facts = WorkloadFacts(workload(spec={"minReadySeconds": 30}, readyReplicas=1), NOW, pods=(PodFacts(obj, NOW),))
    found = workloads.findings(facts)
    assert (found[0].cause, "counted in 20s" in found[0].text) == (Cause.MIN_READY_SECONDS, True)


def test_a_job_that_has_given_up_says_so_beside_what_its_pods_end_with() -> None:
    failed = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached"}]
    found = workloads.findings(WorkloadFacts(workload("Job", {"parallelism": 1}, conditions=failed), NOW))
    assert found[0].cause is Cause.BACKOFF_LIMIT


def test_paused_and_suspended_ones_stand_still_on_purpose() -> None:
    for kind, spec in (("Deployment", {"paused": True}), ("Job", {"suspend": True, "parallelism": 0})):
        facts = WorkloadFacts(workload(kind, spec, conditions=[{"type": "Suspended", "status": "True"}]), NOW)
        assert workloads.findings(facts)[0].cause is Cause.PAUSED


def test_a_set_with_all_its_pods_has_nothing_wrong() -> None:
    assert workloads.findings(WorkloadFacts(workload(spec={"replicas": 0}), NOW))[0].cause is Cause.NOTHING_WRONG


def ready_pod(name: str, ready: bool, **labels: str) -> dict[str, Any]:
    state = {"running": {"startedAt": STAMP}}
    status = [{"name": "c", "state": state, "lastState": {}, "ready": ready}]
    obj = pending(phase="Running", containerStatuses=status,
                  conditions=[{"type": "Ready", "status": str(ready), "reason": "ContainersNotReady"}])  # fmt: skip
    obj["metadata"] = {**obj["metadata"], "name": name, "labels": labels}
    obj["spec"]["nodeName"] = "n1"
    return obj


def selecting_(kind: str, *pods: dict[str, Any], **status: Any) -> WorkloadFacts:
    selector = {"app": "web"} if kind == "Service" else {"matchLabels": {"app": "web"}}
    obj = {"kind": kind, "metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": selector},
           "status": status}  # fmt: skip
    return WorkloadFacts(obj, NOW, pods=tuple(PodFacts(pod, NOW) for pod in pods))


def test_a_service_that_selects_nothing_names_pods_that_were_nearly_meant() -> None:
    others = (ready_pod("z", True, app="mail"), ready_pod("x", True, app="wbe"), ready_pod("y", True, tier="db"))
    (found,) = selecting.findings(selecting_("Service"), others)
    assert found.cause is Cause.SELECTS_NOTHING
    assert found.evidence == ("pod/x has app=wbe",)


def test_a_service_whose_pods_are_not_ready_tells_what_holds_them_up() -> None:
    found = selecting.findings(selecting_("Service", ready_pod("x", False)), ())
    assert [f.cause for f in found] == [Cause.NOT_READY, Cause.NOT_READY]
    assert "nobody to answer" in found[0].text
    ready = selecting.findings(selecting_("Service", ready_pod("x", True)), ())
    assert [f.cause for f in ready] == [Cause.NOTHING_WRONG]


def test_a_budget_that_lets_nobody_go_says_by_how_much() -> None:
    pod = ready_pod("x", True)
    healthy = {"currentHealthy": 1, "desiredHealthy": 1}
    found = selecting.findings(selecting_("PodDisruptionBudget", pod, disruptionsAllowed=0, **healthy), ())
    assert (found[0].cause, "minAvailable" in found[0].fix) == (Cause.DISRUPTIONS_BLOCKED, True)
    found = selecting.findings(selecting_("PodDisruptionBudget", pod, disruptionsAllowed=1), ())
    assert found[0].text == "poddisruptionbudget/web allows 1 eviction now."


def test_a_namespace_says_what_is_left_in_it_and_whose_finalizer() -> None:
    namespace = {
        "kind": "Namespace",
        "metadata": {"name": "old", "deletionTimestamp": STAMP},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {
            "conditions": [
                {"type": "NamespaceContentRemaining", "status": "True", "message": "Some resources are remaining: x"},
                {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "finalizers remaining: a/b in 1"},
            ]
        },
    }
    held = {"kind": "ConfigMap", "metadata": {"name": "kept", "finalizers": ["a/b"]}}
    found = namespaces.findings(namespace, (held,), NOW)
    assert [f.cause for f in found] == [Cause.FINALIZERS]
    assert "configmap/kept has finalizers a/b" in found[0].evidence
    namespace["status"]["conditions"].pop()
    assert namespaces.findings(namespace, (), NOW)[0].cause is Cause.NAMESPACE_CONTENT


def node(spec: dict[str, Any] | None = None, *conditions: dict[str, Any]) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True"}
    return {
        "kind": "Node",
        "metadata": {"name": "n1"},
        "spec": spec or {},
        "status": {
            "conditions": [*(conditions or ()), *([] if any(c["type"] == "Ready" for c in conditions) else [ready])]
        },
    }


@pytest.mark.parametrize(
    ("obj", "causes"),
    [
        (node(), [Cause.NOTHING_WRONG]),
        (node({"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]}),
         [Cause.NODE_CORDONED]),
        (node({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}), [Cause.NODE_TAINTED]),
        (node(None, {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}), [Cause.NODE_SILENT]),
        (node(None, {"type": "Ready", "status": "False", "message": "container runtime is down"}),
         [Cause.NODE_NOT_READY]),
        (node(None, {"type": "DiskPressure", "status": "True"}), [Cause.NODE_PRESSURE]),
    ],
)  # fmt: skip
def test_a_node_says_why_it_takes_no_pods(obj: dict[str, Any], causes: list[Cause]) -> None:
    assert [f.cause for f in nodes.findings(obj, None, NOW)] == causes


def test_selectors_become_the_query_of_a_list() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "app", "operator": "Exists"},
    ]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": expressions}
    assert selector_text(workload(spec={"selector": selector})) == "app=web,tier in (a,b),!old,app"
    assert selector_text(workload("ReplicationController", {"selector": {"app": "web"}})) == "app=web"


def test_a_kind_nobody_acts_on_names_what_does_the_same_work() -> None:
    leases = (lease("kube-controller-manager", "2023-11-14T22:13:19Z"),)
    for kind, instead in (("Job", "use a Pod with restartPolicy OnFailure"), ("Deployment", "use a ReplicaSet")):
        obj = {**workload(kind), "status": {}}
        (found,) = workloads.findings(WorkloadFacts(obj, NOW, leases=leases))
        assert (found.cause, found.fix.endswith(instead)) == (Cause.NO_CONTROLLER, True)


def test_a_claim_that_is_pending_is_not_taken_for_one_that_is_well() -> None:
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "status": {"phase": "Pending"}}
    assert [f.cause for f in diagnosis.any_kind(claim, ())] == [Cause.NOT_READY]
    assert diagnosis.any_kind({**claim, "status": {"phase": "Bound"}}, ())[0].cause is Cause.NOTHING_WRONG


def test_a_scheduler_that_is_not_there_is_told_beside_those_that_are() -> None:
    verdict = {"state": "OtherScheduler", "schedulers": ["default-scheduler", "packing"]}
    (found,) = scheduling.findings(PodFacts(pending(spec={"schedulerName": "pakcing"}), NOW, verdict=verdict))
    assert found.cause is Cause.UNKNOWN_SCHEDULER
    assert found.fix.endswith("schedulerName: default-scheduler or packing")


def test_findings_are_told_with_what_was_seen_and_what_helps() -> None:
    finding = Finding(Cause.QUOTA, "rs/web", "web cannot make its pods.", ("exceeded\nquota",), "raise it")
    assert printing.findings([finding]) == (
        "QuotaExceeded: web cannot make its pods.\n    seen: exceeded quota\n    fix:  raise it\n"
    )


def test_placements_say_where_pods_go_whom_they_evict_and_who_stays() -> None:
    stays = {"namespace": "d", "name": "big", "from": "", "node": "", "evicts": [], "message": "0/1 nodes …"}
    victim = {"namespace": "d", "name": "low", "priority": 0, "node": "n1"}
    goes = {"namespace": "d", "name": "web-0", "from": "ReplicaSet/web", "node": "n1", "evicts": [victim]}
    text = printing.placements(
        {"pods": [goes, stays], "ignored": [{"kind": "Service", "name": "s", "why": "no pods"}]}, 80
    )
    assert "d/web-0   ReplicaSet/web   n1          d/low" in text
    assert "d/big would stay pending: 0/1 nodes …" in text
    assert "Service/s: no pods" in text


def test_a_budget_that_selects_by_expressions_and_finds_nobody_says_so() -> None:
    facts = selecting_("PodDisruptionBudget")
    facts.obj["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    (found,) = selecting.findings(facts, (ready_pod("x", True, tier="db"),))
    assert found.cause is Cause.SELECTS_NOTHING


def test_a_node_that_nobody_hears_of_says_since_when() -> None:
    silent = node(None, {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "stopped"})
    (found,) = nodes.findings(silent, lease("n1", STAMP), NOW)
    assert "last heard of 10s ago" in found.text
    assert found.evidence == ("condition Ready is Unknown (NodeStatusUnknown): stopped",)
    (never,) = nodes.findings({**silent, "status": {}}, None, NOW)
    assert (never.cause, "never heard of" in never.text, never.evidence) == (Cause.NODE_SILENT, True, ())


def test_taints_that_follow_from_the_nodes_state_are_passed_over_and_others_told_by_what_they_do() -> None:
    taints = [
        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
        {"key": "gpu", "value": "yes", "effect": "NoSchedule"},
        {"key": "old", "effect": "PreferNoSchedule"},
    ]
    found = nodes.findings(node({"taints": taints}), None, NOW)
    assert [f.text.partition(": ")[2] for f in found] == [
        "only pods that tolerate it come here.",
        "pods that do not tolerate it come here last.",
    ]
    assert [f.fix for f in found] == [
        "kubectl taint nodes n1 gpu:NoSchedule-",
        "kubectl taint nodes n1 old:PreferNoSchedule-",
    ]


@pytest.mark.parametrize(
    ("spec", "fresh"),
    [
        ({"holderIdentity": "m", "renewTime": STAMP, "leaseDurationSeconds": 11}, True),
        ({"holderIdentity": "m", "renewTime": STAMP, "leaseDurationSeconds": 10}, False),
        ({"holderIdentity": "m", "renewTime": STAMP}, True),
        ({"holderIdentity": "", "renewTime": STAMP}, False),
        ({"holderIdentity": "m"}, False),
    ],
)
def test_a_lease_is_fresh_while_its_holder_renews_it_in_time(spec: dict[str, Any], fresh: bool) -> None:
    assert nodes.is_fresh({"metadata": {"name": "l"}, "spec": spec}, NOW) is fresh
    assert not nodes.is_fresh(None, NOW)


def test_a_namespace_says_whose_finalizer_it_has_itself_and_that_nobody_has_looked() -> None:
    namespace: dict[str, Any] = {
        "kind": "Namespace",
        "metadata": {"name": "old", "deletionTimestamp": STAMP},
        "spec": {},
    }
    (silent,) = namespaces.findings(namespace, (), NOW)
    assert (silent.cause, "controller manager" in silent.fix) == (Cause.NAMESPACE_CONTENT, True)
    namespace["spec"] = {"finalizers": ["kubernetes", "a/b"]}
    (foreign,) = namespaces.findings(namespace, (), NOW)
    assert (foreign.cause, "is kept by a/b in" in foreign.text) == (Cause.FINALIZERS, True)
    remaining = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "a/b in 1"}
    namespace["status"] = {"conditions": [remaining]}
    assert "KIND/NAME" in namespaces.findings(namespace, (), NOW)[0].fix


def held(state: str, seconds: int = 10, **spec: Any) -> Finding:
    """What is said of a pod that no scheduler has refused, so many seconds old; `state` is the scheduler's word."""
    obj = pending(spec=spec)
    obj["metadata"]["creationTimestamp"] = f"2023-11-14T22:13:{20 - seconds:02}Z"
    return scheduling.findings(PodFacts(obj, NOW, verdict={"state": state} if state else None))[0]


def test_a_pod_that_no_scheduler_has_refused_says_where_it_stands() -> None:
    assert [held(state).cause for state in ("Queued", "BackingOff", "Binding")] == [Cause.WAITING_FOR_SCHEDULER] * 3
    assert held("Gone").cause is Cause.NO_SCHEDULER
    assert held("OtherScheduler", schedulerName="mine").cause is Cause.UNKNOWN_SCHEDULER
    assert held("Gone", schedulerName="mine").cause is Cause.NO_SCHEDULER
    assert (held("", 2).cause, held("", 3).cause) == (Cause.WAITING_FOR_SCHEDULER, Cause.NO_SCHEDULER)


def test_a_pod_whose_victims_have_gone_waits_for_its_next_try() -> None:
    found = scheduling.findings(PodFacts(pending("0/1 nodes are available", nominatedNodeName="n1"), NOW))[0]
    assert (found.cause, found.fix) == (Cause.WAITING_FOR_PREEMPTION, "wait: it is tried again at any moment")
    assert "It waits for" not in found.text


def verdict_of(*changes: dict[str, Any], message: str = "no") -> dict[str, Any]:
    refusal = {"plugin": "NodeResourcesFit", "reason": "Insufficient cpu", "count": 1, "fix": "f"}
    return {"total": 1, "message": message, "refusals": [refusal], "nearest": {"node": "n1", "changes": [*changes]}}


def test_each_change_of_the_nearest_node_is_a_finding_and_the_message_is_seen_once() -> None:
    changes = (
        {"plugin": "NodeResourcesFit", "reason": "Insufficient cpu", "need": "cpu: 4", "have": "1 free", "fix": "a"},
        {
            "plugin": "InterPodAffinity",
            "reason": "node(s) didn't match pod anti-affinity rules",
            "need": "no x",
            "fix": "b",
        },
        {"plugin": "InterPodAffinity", "reason": "node(s) didn't match pod affinity rules", "fix": "c"},
    )
    found = scheduling.findings(PodFacts(pending("no"), NOW, verdict=verdict_of(*changes)))
    assert [(f.cause, f.fix, f.evidence) for f in found] == [
        (Cause.INSUFFICIENT_RESOURCES, "a", ("no",)),
        (Cause.POD_ANTI_AFFINITY, "b", ()),
        (Cause.POD_AFFINITY, "c", ()),
    ]
    assert ": it needs cpu: 4, and there is 1 free (2 other changes needed there)." in found[0].text
    assert "rules: it needs no x (2 other" in found[1].text
    assert "affinity rules (2 other" in found[2].text


def test_reasons_of_a_message_keep_their_commas_and_are_seen_once() -> None:
    message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b, c}."
    found = scheduling.findings(PodFacts(pending(message), NOW))
    assert [(f.cause, f.evidence) for f in found] == [
        (Cause.UNTOLERATED_TAINT, (message,)),
        (Cause.INSUFFICIENT_RESOURCES, ()),
    ]
    assert "2 node(s) had untolerated taint {a: b, c}." in found[0].text


def test_a_pod_that_fits_now_says_where() -> None:
    found = scheduling.findings(PodFacts(pending("no"), NOW, verdict={"refusals": [], "feasible": ["n1", "n2"]}))
    assert (found[0].cause, "fits now on n1, n2" in found[0].text) == (Cause.WAITING_FOR_SCHEDULER, True)


def test_what_selects_nobody_says_what_it_looks_for() -> None:
    (found,) = selecting.findings(selecting_("Service"), ())
    assert ("none in its namespace has app=web." in found.text, found.evidence) == (True, ())
    facts = selecting_("PodDisruptionBudget")
    facts.obj["spec"] = {"selector": {}}
    assert "has everything" in selecting.findings(facts, ())[0].text
    facts = selecting_("Service")
    facts.obj["spec"] = {}
    assert selecting.findings(facts, ())[0].cause is Cause.NOTHING_WRONG


def test_of_the_pods_that_are_selected_only_those_that_are_not_ready_are_told_of() -> None:
    crashing = ready_pod("y", False)
    restarted = ready_pod("x", True)
    restarted["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 1, "finishedAt": STAMP}}
    told = selecting.findings(selecting_("Service", restarted), ())
    assert [(f.cause, "of which 1 is Ready" in f.text) for f in told] == [(Cause.NOTHING_WRONG, True)]
    del crashing["status"]["conditions"]
    assert Cause.NOT_READY in [f.cause for f in selecting.findings(selecting_("Service", restarted, crashing), ())]


def test_a_budget_with_too_few_healthy_pods_asks_for_them() -> None:
    pod = ready_pod("x", True)
    few = {"disruptionsAllowed": 0, "desiredHealthy": 2}
    (found,) = selecting.findings(selecting_("PodDisruptionBudget", pod, **few), ())
    assert "0 of its pods are healthy, and 2 must be" in found.text
    assert "get its pods Ready again" in found.fix


def test_a_verdict_without_a_message_or_amounts_is_told_all_the_same() -> None:
    bare = {
        "plugin": "NodeName",
        "reason": "r",
        "count": 5,
        "nodes": ["a", "b", "c"],
        "need": "",
        "have": None,
        "fix": "",
    }
    text = printing.verdict({"refusals": [bare], "message": "0/5 nodes", "attempts": 1}, 120)
    assert text.splitlines() == [
        "Verdict of scheduler, 1 attempt:",
        "  0/5 nodes",
        "  NODES      REFUSED BY   NEED   HAVE   WHAT WOULD FIX IT",
        "  a,b,c +2   NodeName     -      -      -",
    ]
    assert "0/5" not in printing.verdict({"refusals": [bare]}, 120)
    assert printing.verdict({"refusals": None}, 120) == ""


def test_replicas_that_stay_pending_for_the_same_reason_are_told_of_once() -> None:
    def stays(name: str, source: str) -> dict[str, Any]:
        return {"namespace": "d", "name": name, "from": source, "node": "", "evicts": [], "message": "0/1"}

    text = printing.placements({"pods": [stays("a-0", "rs/a"), stays("a-1", "rs/a"), stays("b-0", "rs/b")]}, 80)
    assert [line for line in text.splitlines() if "would stay pending" in line] == [
        "d/a-0 would stay pending: 0/1",
        "d/b-0 would stay pending: 0/1",
    ]
    assert printing.placements({}, 80) == "No pods in what was given.\n"


@pytest.mark.parametrize(
    ("spec", "status", "wanted"),
    [
        ({}, {}, 1),
        ({"parallelism": 3, "completions": 5}, {"succeeded": 1}, 3),
        ({"parallelism": 3, "completions": 5}, {"succeeded": 4}, 1),
        ({"completions": 4}, {}, 1),
        ({"parallelism": 2}, {"succeeded": 3}, 0),
    ],
)
def test_a_job_wants_as_many_pods_as_are_left_to_do(spec: dict[str, Any], status: dict[str, Any], wanted: int) -> None:
    job = {"kind": "Job", "metadata": {"name": "j", "creationTimestamp": STAMP}, "spec": spec,
           "status": {"startTime": STAMP, **status}}  # fmt: skip
    (found,) = workloads.findings(WorkloadFacts(job, NOW))
    said = {0: "job/j wants no pods.", 1: "job/j has all 1 pod it wants."}
    assert found.text == said.get(wanted, f"job/j has all {wanted} pods it wants.")


def test_one_pod_needs_no_list_of_pods_and_a_paused_deployment_is_not_any_that_has_the_word() -> None:
    gated = PodFacts(pending(spec={"schedulingGates": [{"name": "g"}]}), NOW)
    (found,) = workloads.findings(WorkloadFacts(workload(spec={"paused": True}), NOW, pods=(gated,)))
    assert (found.cause, found.evidence) == (Cause.SCHEDULING_GATED, ())
    other = gated._replace(pod={**gated.pod, "metadata": {**gated.pod["metadata"], "name": "y"}})
    (found,) = workloads.findings(WorkloadFacts(workload(spec={"replicas": 2}), NOW, pods=(gated, other)))
    assert found.evidence == ("pods: pod/x, pod/y",)
    unpaused = workloads.findings(WorkloadFacts(workload("Deployment", {"replicas": 0}), NOW))
    assert [f.cause for f in unpaused] == [Cause.NOTHING_WRONG]


def test_a_controller_that_is_behind_is_told_with_the_age_of_its_lease() -> None:
    stale = workload()
    stale["metadata"]["generation"] = 3
    (found,) = workloads.findings(
        WorkloadFacts(stale, NOW, pods=(), leases=(lease("kube-controller-manager", STAMP),))
    )[:1]
    assert found.evidence == ("the lease kube-system/kube-controller-manager was renewed 10s ago: its holder is alive",)
