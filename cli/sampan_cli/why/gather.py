"""Asks the server for what a diagnosis looks at. What only helps is done without when it may not be read."""

from __future__ import annotations

from typing import NamedTuple

from sampan_cli.errors import ServerError
from sampan_cli.rest import Api
from sampan_cli.session import Session
from sampan_cli.why import images
from sampan_cli.why.facts import PodFacts
from sampan_cli.why.findings import Object
from sampan_cli.why.workloads import WorkloadFacts

_LOG_LINES = "5"
_LEASES = ("kube-scheduler", "kube-controller-manager")
_NOT_TO_BE_READ = (403, 404, 405)
_ASKED_PODS = 3
"""Pods of one workload that the scheduler is asked about: replicas are alike."""


class Asked(NamedTuple):
    """The scheduler's answer about a pod, or why there is none."""

    verdict: Object | None
    note: str = ""


class Gatherer:
    """`scheduler` is where verdicts are asked: the API server, or a scheduler apart."""

    def __init__(self, session: Session, scheduler: Api, now: float) -> None:
        self._session = session
        self._api = session.api
        self._scheduler = scheduler
        self._now = now

    def pod(self, pod: Object) -> tuple[PodFacts, Asked]:
        metadata = pod["metadata"]
        events = self.events(pod)
        return self._pod(pod, events, self.ask(metadata["namespace"], metadata["name"]) if _is_unplaced(pod) else None)

    def _pod(self, pod: Object, events: tuple[Object, ...], asked: Asked | None) -> tuple[PodFacts, Asked]:
        asked = asked or Asked(None)
        unplaced = _is_unplaced(pod)
        facts = PodFacts(
            pod=pod,
            now=self._now,
            events=events,
            verdict=asked.verdict,
            nodes=self._nodes(pod),
            knows_nodes=bool(pod["spec"].get("nodeName")),
            leases=self.leases() if unplaced and not asked.verdict else (),
            leaving=self._leaving(pod) if unplaced else (),
            dependents=self.dependents(pod),
            logs=self._logs(pod),
        )
        return facts, asked

    def workload(self, obj: Object) -> tuple[WorkloadFacts, Asked]:
        sets = self._sets(obj)
        facts, asked = self._pods(self._owned_pods(obj, sets))
        own = [event for each in (obj, *sets) for event in self.events(each)]
        return WorkloadFacts(obj, self._now, tuple(own), sets, facts, self.leases()), asked

    def selection(self, obj: Object) -> tuple[WorkloadFacts, tuple[Object, ...], Asked]:
        """The pods that an object selects without owning them, and all pods of its namespace when there are none."""
        path = f"/api/v1/namespaces/{obj['metadata']['namespace']}/pods"
        terms = selector_text(obj)
        selected = self._list(path, {"labelSelector": terms} if terms else None) if obj["spec"].get("selector") else ()
        facts, asked = self._pods([{"kind": "Pod", **pod} for pod in selected])
        return WorkloadFacts(obj, self._now, (), (), facts), () if selected else self._list(path), asked

    def _pods(self, pods: list[Object]) -> tuple[tuple[PodFacts, ...], Asked]:
        """With the scheduler's answer about the first of those it refuses: replicas are alike."""
        events = self._pod_events(pods[0]["metadata"]["namespace"]) if pods else {}
        asked, tries = Asked(None), 0
        facts = []
        for pod in pods:
            if _is_unplaced(pod) and not _refuses(asked) and tries < _ASKED_PODS:
                try:
                    asked, tries = self.ask(pod["metadata"]["namespace"], pod["metadata"]["name"]), tries + 1
                except ServerError:  # it is gone since it was listed
                    continue
            of_this = asked if _is_unplaced(pod) else None
            facts.append(self._pod(pod, tuple(events.get(pod["metadata"]["uid"], ())), of_this)[0])
        return tuple(facts), asked

    def ask(self, namespace: str, name: str) -> Asked:
        try:
            return Asked(self._scheduler.call("POST", "/sampan/v1/why", None, {"namespace": namespace, "name": name}))
        except ServerError as error:
            if error.code == 404 and (error.status.get("details") or {}).get("name") == name:
                raise
            return Asked(None, _why_not(error))

    def events(self, obj: Object) -> tuple[Object, ...]:
        metadata = obj["metadata"]
        selector = f"involvedObject.kind={obj['kind']},involvedObject.name={metadata['name']}"
        if obj["kind"] != "Node":
            selector += f",involvedObject.uid={metadata['uid']}"
        where = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
        return self._list(f"/api/v1{where}/events", {"fieldSelector": selector})

    def _pod_events(self, namespace: str) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for event in self._list(f"/api/v1/namespaces/{namespace}/events", {"fieldSelector": "involvedObject.kind=Pod"}):
            found.setdefault((event.get("involvedObject") or {}).get("uid", ""), []).append(event)
        return found

    def leases(self) -> tuple[Object, ...]:
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/"
        return tuple(lease for name in _LEASES if (lease := self.optional(path + name)))

    def node_lease(self, name: str) -> Object | None:
        return self.optional(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")

    def dependents(self, obj: Object) -> tuple[Object, ...]:
        """Asked for only where they matter: in a deletion that waits for them."""
        if "foregroundDeletion" not in (obj["metadata"].get("finalizers") or []):
            return ()
        uid = obj["metadata"]["uid"]
        return tuple(each for each in self.contents(obj["metadata"].get("namespace", "")) if _is_owned(each, (uid,)))

    def contents(self, namespace: str) -> list[Object]:
        """Everything in a namespace that can be listed, events left out."""
        return [
            {"kind": resource.kind, **item}
            for resource in self._session.discovery.listable()
            if resource.namespaced and resource.kind != "Event"
            for item in self._list(resource.path(namespace))
        ]

    def _nodes(self, pod: Object) -> tuple[Object, ...]:
        """The pod's node; all of them where images are compared."""
        where = pod["spec"].get("nodeName")
        if not where:
            return ()
        if _has_image_trouble(pod) and (nodes := self._list("/api/v1/nodes")):
            return nodes
        node = self.optional(f"/api/v1/nodes/{where}")
        return (node,) if node else ()

    def _leaving(self, pod: Object) -> tuple[Object, ...]:
        where = (pod.get("status") or {}).get("nominatedNodeName")
        if not where:
            return ()
        there = self._list("/api/v1/pods", {"fieldSelector": f"spec.nodeName={where}"})
        return tuple(each for each in there if each["metadata"].get("deletionTimestamp"))

    def _sets(self, obj: Object) -> tuple[Object, ...]:
        if obj["kind"] != "Deployment":
            return ()
        path = f"/apis/apps/v1/namespaces/{obj['metadata']['namespace']}/replicasets"
        listed = self._list(path, {"labelSelector": selector_text(obj)})
        return tuple({"kind": "ReplicaSet", **each} for each in listed if _is_owned(each, (obj["metadata"]["uid"],)))

    def _owned_pods(self, obj: Object, sets: tuple[Object, ...]) -> list[Object]:
        path = f"/api/v1/namespaces/{obj['metadata']['namespace']}/pods"
        uids = tuple(each["metadata"]["uid"] for each in (obj, *sets))
        listed = self._list(path, {"labelSelector": selector_text(obj)})
        return [{"kind": "Pod", **each} for each in listed if _is_owned(each, uids)]

    def _logs(self, pod: Object) -> dict[str, str]:
        status = pod.get("status") or {}
        found = {}
        inits = status.get("initContainerStatuses") or []
        for each in (*inits, *(status.get("containerStatuses") or [])):
            if (asked := _log_wanted(each, each in inits)) is not None:
                path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/log"
                query = {"container": each["name"], "tailLines": _LOG_LINES, **asked}
                found[each["name"]] = self._log(path, query)
        return found

    def _log(self, path: str, query: dict[str, str]) -> str:
        try:
            return self._api.text(path, query)
        except ServerError:
            return ""

    def optional(self, path: str) -> Object | None:
        """None when it is not there or may not be read."""
        try:
            return dict(self._api.call("GET", path))
        except ServerError as error:
            if error.code in _NOT_TO_BE_READ:
                return None
            raise

    def _list(self, path: str, query: dict[str, str] | None = None) -> tuple[Object, ...]:
        try:
            return tuple(self._api.call("GET", path, query).get("items") or ())
        except ServerError as error:
            if error.code in _NOT_TO_BE_READ:
                return ()
            raise


def _why_not(error: ServerError) -> str:
    if error.code in (404, 405):
        return "this server does not answer for its scheduler"
    return f"the scheduler did not answer: {error.status.get('message') or error.reason}"


def _is_unplaced(pod: Object) -> bool:
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not pod["spec"].get("nodeName") and not ended and not pod["metadata"].get("deletionTimestamp")


def _refuses(asked: Asked) -> bool:
    return bool(asked.verdict and asked.verdict.get("refusals"))


def _is_owned(obj: Object, uids: tuple[str, ...]) -> bool:
    return any(reference.get("uid") in uids for reference in obj["metadata"].get("ownerReferences") or [])


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _has_image_trouble(pod: Object) -> bool:
    return any(
        ((each.get("state") or {}).get("waiting") or {}).get("reason") in images.REASONS for each in _statuses(pod)
    )


def _log_wanted(status: Object, init: bool) -> dict[str, str] | None:
    """Which run's log tells something; None: none of them."""
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    if (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff" or (state.get("terminated") or {}).get(
        "exitCode"
    ):
        return {}
    if state.get("running") and last and not status.get("ready"):
        return {"previous": "true"}
    return {} if init and state.get("running") else None


def selector_text(obj: Object) -> str:
    """What an object selects, as the query of a list. Those of core/v1 have a map for a selector."""
    selector = obj["spec"].get("selector") or {}
    if obj["kind"] in ("ReplicationController", "Service"):
        selector = {"matchLabels": selector}
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or []:
        key, values = each["key"], ",".join(each.get("values") or ())
        match each["operator"]:
            case "Exists":
                terms.append(key)
            case "DoesNotExist":
                terms.append(f"!{key}")
            case operator:
                terms.append(f"{key} {operator.lower()} ({values})")
    return ",".join(terms)
