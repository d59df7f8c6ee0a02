"""Containers that do not run, or do not get ready, in the order in which the node starts them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sampan_cli.why import exits, images
from sampan_cli.why.facts import PodFacts, ago, condition, counted, latest, message, said, seconds, since
from sampan_cli.why.findings import Cause, Finding, Object

_RECENT = 600.0
"""Seconds for which a restart is worth telling of a container that is fine now."""
_BACKOFF = re.compile(r"back-off (?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)? restarting")
_MISSING = re.compile(r'(configmap|secret)s? "([^"]+)" not found', re.IGNORECASE)
_MISSING_KEY = re.compile(r"couldn't find key (\S+) in (ConfigMap|Secret) (?:\S+/)?(\S+)")
_MISSING_ITEM = re.compile(r"references non-existent (config|configmap|secret) key: ([^\s,]+)")


def findings(facts: PodFacts) -> list[Finding]:
    spec, status = facts.pod["spec"], facts.pod.get("status") or {}
    known = {
        s["name"]: s for s in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    }
    inits = [(c, known.get(c["name"], {})) for c in spec.get("initContainers") or []]
    for container, state in inits:
        if _is_done(container, state):
            continue
        found = list(_of_init(facts, container, state))
        if found:
            return found
    mains = [(c, known.get(c["name"], {})) for c in spec["containers"]]
    return [finding for container, state in mains for finding in _of(facts, container, state)]


def ends(facts: PodFacts) -> list[Finding]:
    """Of a pod that has failed: what its containers ended with."""
    status = facts.pod.get("status") or {}
    specs = {c["name"]: c for f in ("initContainers", "containers") for c in facts.pod["spec"].get(f) or []}
    statuses = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    found = []
    for each in statuses:
        end = (each.get("state") or {}).get("terminated")
        if end and end.get("exitCode") and each["name"] in specs:
            found.append(exits.ended(facts, specs[each["name"]], end, _who(facts, specs[each["name"]])))
    return found


def _is_done(container: Object, status: Object) -> bool:
    if container.get("restartPolicy") == "Always":
        return bool(status.get("started"))
    end = (status.get("state") or {}).get("terminated") or {}
    return end.get("exitCode") == 0


def _of_init(facts: PodFacts, container: Object, status: Object) -> Iterator[Finding]:
    found = list(_of(facts, container, status))
    running = (status.get("state") or {}).get("running")
    if not found and running:
        others = counted(len(facts.pod["spec"]["containers"]), "container")
        who = _who(facts, container)
        text = (f"{who} has been running for {ago(running.get('startedAt'), facts.now)}; it must end before the"
                f" {others} of the pod can start.")  # fmt: skip
        log = tuple(f"log: {line}" for line in facts.logs.get(container["name"], "").strip().splitlines()[-5:])
        yield Finding(Cause.INIT_CONTAINER_RUNS, who, text, log, "see its log for what it waits for")
    yield from found


def _who(facts: PodFacts, container: Object) -> str:
    inits = facts.pod["spec"].get("initContainers") or []
    return f"{'init ' * (container in inits)}container {container['name']} of pod/{facts.pod['metadata']['name']}"


def _of(facts: PodFacts, container: Object, status: Object) -> Iterator[Finding]:
    state, who = status.get("state") or {}, _who(facts, container)
    last = (status.get("lastState") or {}).get("terminated") or {}
    restarts = int(status.get("restartCount", 0))
    if waiting := state.get("waiting"):
        yield from _waiting(facts, container, waiting, last, restarts)
    elif end := state.get("terminated"):
        if end.get("exitCode") or facts.pod["spec"].get("restartPolicy", "Always") == "Always":
            yield exits.ended(facts, container, end, who, restarts=restarts)
    elif state.get("running"):
        yield from _running(facts, container, status, last, restarts)


def _waiting(facts: PodFacts, container: Object, waiting: Object, last: Object, restarts: int) -> Iterator[Finding]:
    reason, why, who = waiting.get("reason", ""), str(waiting.get("message", "")), _who(facts, container)
    if reason in images.REASONS:
        yield images.unavailable(facts, container, waiting, who)
    elif reason == "CrashLoopBackOff":
        found = exits.ended(facts, container, last, who, restarts=restarts)
        yield found._replace(evidence=(*found.evidence, _until(facts, why, last)))
    elif reason == "CreateContainerConfigError":
        fix = "set securityContext.runAsUser to a user that is not 0, or use an image whose user is not root"
        yield missing(why, who) or Finding(
            Cause.CONTAINER_CONFIG,
            who,
            f"{who} cannot be configured as its spec asks.",
            (why,),
            fix if "runAsNonRoot" in why else "correct what is named",
        )
    elif reason == "RunContainerError":
        yield exits.not_started(container, why, who)
    elif reason in ("CreateContainerError", "PreCreateHookError", "PreStartHookError", "PostStartHookError"):
        yield _not_created(container, why, who)
    elif why:
        yield missing(why, who) or Finding(Cause.VOLUME, who, f"{who} waits: {reason}.", (why,), "")
    # PodInitializing and ContainerCreating without a message say what the pod as a whole says.


def _not_created(container: Object, why: str, who: str) -> Finding:
    found = exits.not_started(container, why, who)
    if found.cause is not Cause.CONTAINER_START:
        return found
    return Finding(Cause.CONTAINER_CREATE, who, f"{who} cannot be created.", (why,), "correct what the runtime names")


def missing(why: str, who: str) -> Finding | None:
    """A ConfigMap, a Secret, or a key of one that is not there, read from the node's words."""
    if key := _MISSING_KEY.search(why):
        text = f"{who} needs the key {key[1]} of {key[2]} {key[3]}, which has none of that name."
        fix = f"add the key {key[1]} to {key[2].lower()}/{key[3]}, or mark the reference optional"
        return Finding(Cause.MISSING_KEY, who, text, (why,), fix)
    if item := _MISSING_ITEM.search(why):
        kind = "secret" if item[1] == "secret" else "configmap"
        text = f"{who} mounts the key {item[2]} of a {kind} that has none of that name."
        fix = f"add the key {item[2]} to the {kind}, or correct the volume's items"
        return Finding(Cause.MISSING_KEY, who, text, (why,), fix)
    if absent := _MISSING.search(why):
        kind, name = absent[1].lower(), absent[2]
        cause = Cause.MISSING_SECRET if kind == "secret" else Cause.MISSING_CONFIG_MAP
        text = f'{who} needs the {kind} "{name}", which does not exist in its namespace.'
        return Finding(cause, who, text, (why,), f"create {kind}/{name}, or mark the reference optional")
    return None


def _until(facts: PodFacts, why: str, last: Object) -> str:
    """The back-off in words: until when the node waits."""
    found, finished = _BACKOFF.search(why), seconds(last.get("finishedAt"))
    if found is None or finished is None:
        return why
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    left = finished + hours * 3600 + minutes * 60 + rest - facts.now
    return f"{why}: " + (f"the next try is in {said(left)}" if left > 0 else "the next try is due")


def _running(facts: PodFacts, container: Object, status: Object, last: Object, restarts: int) -> Iterator[Finding]:
    ready, who = bool(status.get("ready")), _who(facts, container)
    gone = since(last.get("finishedAt"), facts.now)
    if last and (not ready or (gone is not None and gone < _RECENT)):
        found = exits.ended(facts, container, last, who, restarts=restarts)
        yield found._replace(text=f"{found.text} It runs now{'' if ready else ', but is not ready'}.")
        if found.cause in (Cause.LIVENESS_PROBE, Cause.STARTUP_PROBE):
            return
    if ready:
        return
    if container.get("startupProbe") and not status.get("started"):
        yield _probe(facts, container, who, "startup", Cause.STARTUP_PROBE)
    elif container.get("readinessProbe"):
        yield _probe(facts, container, who, "readiness", Cause.READINESS_PROBE)


def _probe(facts: PodFacts, container: Object, who: str, kind: str, cause: Cause) -> Finding:
    failing = latest(facts.events, "Unhealthy", container=container["name"], text=f"{kind.capitalize()} probe")
    probe = container[f"{kind}Probe"]
    if failing is None:
        delay = probe.get("initialDelaySeconds", 0)
        text = f"{who} runs, but its {kind} probe has not succeeded yet (first asked after {delay} s)."
        return Finding(cause, who, text, (), "wait, or lower initialDelaySeconds")
    text = f"{who} runs, but its {kind} probe ({_asked(probe)}) fails."
    return Finding(cause, who, text, (message(failing),), "make what the probe asks answer, or correct the probe")


def _asked(probe: Object) -> str:
    if action := probe.get("httpGet"):
        return f"GET port {action.get('port')} {action.get('path', '/')}"
    if action := probe.get("tcpSocket"):
        return f"connect to port {action.get('port')}"
    if action := probe.get("grpc"):
        return f"gRPC health on port {action.get('port')}"
    return f"exec {' '.join((probe.get('exec') or {}).get('command') or ())}"


def gates(facts: PodFacts) -> list[Finding]:
    """Readiness gates that somebody else has to open."""
    found = []
    for gate in facts.pod["spec"].get("readinessGates") or []:
        kind = gate["conditionType"]
        held = condition(facts.pod, kind)
        if held is None or held.get("status") != "True":
            state = "nobody has set it" if held is None else f"it is {held.get('status')}: {held.get('message', '')}"
            text = f"The readiness gate {kind} is closed: {state.rstrip(': ')}."
            who = f"pod/{facts.pod['metadata']['name']}"
            fix = f"whoever owns the condition {kind} must set it to True in the pod's status; or take the gate out"
            found.append(Finding(Cause.READINESS_GATE, who, text, (), fix))
    return found
