"""How a container came to its end, and what its exit code means.

Codes above 128 are a signal's number plus 128; 126 and 127 are what a shell says of a command it cannot run
(POSIX, "Exit Status for Commands"); 128 is what runtimes note for a process that could not be started.
"""

from __future__ import annotations

import re
import signal

from sampan_cli.why.facts import PodFacts, ago, counted, latest, message
from sampan_cli.why.findings import Cause, Finding, Object

_BY_PROBE = re.compile(r"failed (liveness|startup) probe")
_NOT_FOUND = ("executable file not found", "no such file or directory", "not found in $PATH")
_NOT_ALLOWED = ("permission denied", "exec format error")
_SIGNAL_MEANS = {
    signal.SIGKILL: "somebody outside the program ended it",
    signal.SIGSEGV: "it touched memory that is not its own: a fault in the program",
    signal.SIGABRT: "it gave up by itself: a failed assertion, or memory found damaged",
    signal.SIGTERM: "it was asked to stop and did, without an end of its own",
    signal.SIGILL: "it ran an instruction this processor does not have: built for another one?",
    signal.SIGBUS: "it touched memory that is not there, such as a file mapped and then cut",
    signal.SIGFPE: "it divided by zero or the like",
    signal.SIGINT: "it was interrupted",
    signal.SIGPIPE: "it wrote to a pipe that nobody reads",
}


def ended(facts: PodFacts, spec: Object, end: Object, who: str, *, restarts: int = 0) -> Finding:
    """`end` is a state `terminated`; `who` names the container in a sentence."""
    found = _by_the_node(facts, spec, end, who) or _by_itself(facts, spec, end, who)
    seen = (*found.evidence, *_seen(facts, spec, end))
    times = f" It was restarted {counted(restarts, 'time')}." if restarts else ""
    return found._replace(text=f"{found.text}{times}", evidence=seen)


def _by_the_node(facts: PodFacts, spec: Object, end: Object, who: str) -> Finding | None:
    """Ends that the node made, which the exit code alone does not tell."""
    if end.get("reason") == "OOMKilled":
        return _out_of_memory(spec, who)
    killing = latest(facts.events, "Killing", container=name_of(spec))
    probe = _BY_PROBE.search(message(killing))
    if probe and end.get("exitCode") != 0:
        return probe_kill(facts, spec, who, probe.group(1))
    hook = latest(facts.events, "FailedPostStartHook", container=name_of(spec))
    if hook:
        fix = "make the postStart hook succeed, or take it out"
        return Finding(Cause.POST_START_HOOK, who, f"{who} is killed because its postStart hook fails.",
                       (message(hook),), fix)  # fmt: skip
    return None


def name_of(spec: Object) -> str:
    return str(spec["name"])


def _out_of_memory(spec: Object, who: str) -> Finding:
    limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    text = f"{who} was killed (SIGKILL) because it used more memory than it may"
    text += f": its limit is {limit} (OOMKilled)." if limit else ": the node had no more (OOMKilled)."
    fix = f"raise resources.limits.memory above {limit}, or make the program use less" if limit else (
        "set resources.requests.memory to what it needs, so that it goes where there is room"
    )  # fmt: skip
    return Finding(Cause.OUT_OF_MEMORY, who, text, (), fix)


def probe_kill(facts: PodFacts, spec: Object, who: str, kind: str) -> Finding:
    """The node restarts it because a probe fails."""
    probe = spec.get(f"{kind}Probe") or {}
    failing = latest(facts.events, "Unhealthy", container=name_of(spec), text=f"{kind.capitalize()} probe")
    times = probe.get("failureThreshold", 3)
    text = f"{who} is restarted because its {kind} probe fails {counted(times, 'time')} in a row."
    later = "give it more time (initialDelaySeconds, failureThreshold), or a startupProbe"
    fix = f"make what the {kind} probe asks answer" + (f"; {later}" if kind == "liveness" else
                                                       "; or raise its failureThreshold")  # fmt: skip
    cause = Cause.LIVENESS_PROBE if kind == "liveness" else Cause.STARTUP_PROBE
    return Finding(cause, who, text, (message(failing),) if failing else (), fix)


def _by_itself(facts: PodFacts, spec: Object, end: Object, who: str) -> Finding:
    code = int(end.get("exitCode", 0))
    command = " ".join(spec.get("command") or spec.get("args") or ()) or "the image's own command"
    if end.get("reason") == "StartError" or code == 128:
        return not_started(spec, str(end.get("message", "")), who)
    if code == 127:
        text = f"{who} ends with exit code 127: a command was not found by the shell that was to run it."
        fix = f"correct the name or path of the command, or use an image that has it: {command}"
        return Finding(Cause.COMMAND_NOT_FOUND, who, text, (), fix)
    if code == 126:
        text = f"{who} ends with exit code 126: a command was found but cannot be executed (permission, or no program)."
        fix = f"make the file executable (chmod +x) and of this machine's kind, or run another command: {command}"
        return Finding(Cause.NOT_EXECUTABLE, who, text, (), fix)
    if code == 0:
        policy = facts.pod["spec"].get("restartPolicy", "Always")
        text = f"{who} ends by itself without an error (exit code 0), and restartPolicy {policy} starts it again."
        fix = "run something that does not end, or use a Job (or restartPolicy OnFailure) for work that does"
        return Finding(Cause.EXITS_AT_ONCE, who, text, (), fix)
    if (number := int(end.get("signal") or (code - 128 if 128 < code <= 192 else 0))) and _is_signal(number):
        known = signal.Signals(number)
        means = _SIGNAL_MEANS.get(known, "sent by the program itself or by somebody else")
        text = f"{who} was ended by signal {known.name} (exit code {code}): {means}."
        return Finding(Cause.KILLED, who, text, (), "look at its log for what it did last")
    text = f"{who} ends with exit code {code}: the program itself reports a failure."
    return Finding(Cause.EXITED_WITH_ERROR, who, text, (), "its log says what it lacked; correct that")


def not_started(spec: Object, why: str, who: str) -> Finding:
    """The process could not even be started; `why` is the runtime's word."""
    command = (spec.get("command") or spec.get("args") or ["the image's own command"])[0]
    lower = why.lower()
    seen = (why,)
    if any(text in lower for text in _NOT_FOUND):
        text = f"{who} cannot be started: the image has no {command}: command not found."
        fix = "correct command[0] (a path, or a name on the image's PATH), or use an image that has it"
        return Finding(Cause.COMMAND_NOT_FOUND, who, text, seen, fix)
    if any(text in lower for text in _NOT_ALLOWED):
        text = f"{who} cannot be started: {command} is there but not executable."
        return Finding(Cause.NOT_EXECUTABLE, who, text, seen, "name a program that may be executed on this machine")
    text = f"{who} cannot be started."
    return Finding(Cause.CONTAINER_START, who, text, seen, "correct what the runtime names")


def _is_signal(number: int) -> bool:
    return number in signal.Signals.__members__.values()


def _seen(facts: PodFacts, spec: Object, end: Object) -> tuple[str, ...]:
    seen = [f"exit code {end.get('exitCode')}, reason {end.get('reason') or 'none'}, {_when(end, facts.now)}"]
    if end.get("message") and end.get("reason") != "StartError":
        seen.append(f"termination message: {str(end['message']).strip()}")
    if log := facts.logs.get(name_of(spec), "").strip():
        seen += [f"log: {line}" for line in log.splitlines()[-5:]]
    return tuple(seen)


def _when(end: Object, now: float) -> str:
    finished = end.get("finishedAt")
    return f"{ago(finished, now)} ago" if finished else "never ran"
