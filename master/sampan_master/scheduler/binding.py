"""The scheduler's writes: a Binding, a condition, an event. Each is fenced by the API, so two schedulers do no harm."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto

from sampan_api import meta
from sampan_api.client import PODS, Client, DeleteOptions, PatchType
from sampan_api.clock import Clock, rfc3339
from sampan_api.errors import (
    ApiError,
    Conflict,
    InternalError,
    Invalid,
    NotFound,
    ServerTimeout,
    ServiceUnavailable,
    TooManyRequests,
)
from sampan_api.meta import Object

from sampan_master.scheduler.preemption import BY_SCHEDULER

_UNCLEAR = (InternalError, ServerTimeout, ServiceUnavailable)
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 5.0


class Outcome(Enum):
    BOUND = auto()
    ELSEWHERE = auto()
    """Someone else bound it, or it is gone: not ours any more."""
    REFUSED = auto()
    """It is still unbound: try again later."""


async def bind(client: Client, clock: Clock, pod: Object, node: str) -> tuple[Outcome, str]:
    """Binds, and does not return before it is certain whether the pod is bound; with what there is to tell of it: that
    another scheduler was faster (a Conflict) is no news to anybody, the next attempt knows of it."""
    namespace, name, uid = meta.namespace(pod), meta.name(pod), meta.uid(pod)
    binding: Object = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace, "uid": uid},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
    try:
        await client.create(PODS, binding, namespace, "binding")
        return Outcome.BOUND, ""
    except Conflict:
        return await _outcome(client, clock, pod, node), ""
    except (NotFound, *_UNCLEAR) as error:
        return await _outcome(client, clock, pod, node), error.message
    except ApiError as error:
        return Outcome.REFUSED, error.message


async def _outcome(client: Client, clock: Clock, pod: Object, node: str) -> Outcome:
    """What became of it, asked until there is an answer."""
    pause = _FIRST_PAUSE
    while True:
        try:
            current = await client.get(PODS, meta.name(pod), meta.namespace(pod))
        except NotFound:
            return Outcome.ELSEWHERE
        except (TooManyRequests, *_UNCLEAR):
            await clock.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)
            continue
        except ApiError:
            return Outcome.REFUSED
        if meta.uid(current) != meta.uid(pod) or meta.is_deleting(current):
            return Outcome.ELSEWHERE
        bound_to = current["spec"].get("nodeName")
        if not bound_to:
            return Outcome.REFUSED
        return Outcome.BOUND if bound_to == node else Outcome.ELSEWHERE


async def report_unschedulable(
    client: Client,
    clock: Clock,
    pod: Object,
    message: str,
    nominated: str | None = None,
    reason: str = "Unschedulable",
) -> None:
    """Sets PodScheduled=False, unless the pod says just that already; and its nominated node, where "" means none and
    None leaves what there is."""
    before = meta.condition(pod, "PodScheduled") or {}
    unchanged = nominated is None or nominated == ((pod.get("status") or {}).get("nominatedNodeName") or "")
    if (before.get("status"), before.get("reason"), before.get("message")) == ("False", reason, message) and unchanged:
        return
    since = before.get("lastTransitionTime") if before.get("status") == "False" else None
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": since or rfc3339(clock.now()),
    }
    status: Object = {"conditions": [condition]}
    if nominated is not None:
        status["nominatedNodeName"] = nominated or None
    patch = {"metadata": {"uid": meta.uid(pod)}, "status": status}
    await client.patch(PODS, meta.name(pod), patch, meta.namespace(pod), type=PatchType.STRATEGIC, subresource="status")


async def withdraw_nomination(client: Client, namespace: str, name: str, uid: str) -> None:
    patch = {"metadata": {"uid": uid}, "status": {"nominatedNodeName": None}}
    with suppress(NotFound, Conflict, Invalid):
        await client.patch(PODS, name, patch, namespace, type=PatchType.STRATEGIC, subresource="status")


async def evict(client: Client, clock: Clock, victim: Object, scheduler_name: str) -> bool:
    """Says on the victim why it goes (KEP-3329) and deletes it, no other of its name. False: it was gone already."""
    namespace, name, uid = meta.namespace(victim), meta.name(victim), meta.uid(victim)
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": BY_SCHEDULER,
        "message": f"{scheduler_name}: preempting to accommodate a higher priority pod",
        "lastTransitionTime": rfc3339(clock.now()),
    }
    patch = {"metadata": {"uid": uid}, "status": {"conditions": [condition]}}
    try:
        await client.patch(PODS, name, patch, namespace, type=PatchType.STRATEGIC, subresource="status")
        await client.delete(PODS, name, namespace, DeleteOptions(uid=uid))
    except (NotFound, Conflict, Invalid):
        return False
    return True
