"""An object told in full: pure functions from its JSON to the text of `describe`, without the events."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from typing import Any

from sampan_cli.table import Columns

Object = dict[str, Any]
HIDDEN_ANNOTATIONS = {"kubectl.kubernetes.io/last-applied-configuration"}
NONE = "<none>"


def _pairs(rows: list[tuple[str, str]], indent: int = 0) -> str:
    """`Name:   value` lines with the values in one column; a value of several lines stays in it."""
    width = max(len(name) for name, _ in rows) + 3
    lines = []
    for name, value in rows:
        first, *more = value.split("\n")
        lines.append(" " * indent + f"{name + ':':{width}}{first}".rstrip())
        lines += [(" " * (indent + width) + line).rstrip() for line in more if line]
    return "\n".join(lines) + "\n"


def _map(value: dict[str, Any] | None, equals: str = "=") -> str:
    return "\n".join(f"{k}{equals}{v}" for k, v in sorted((value or {}).items())) or NONE


def _annotations(obj: Object) -> str:
    shown = {k: v for k, v in (obj["metadata"].get("annotations") or {}).items() if k not in HIDDEN_ANNOTATIONS}
    return _map(shown, ": ")


def _controlled_by(obj: Object) -> list[tuple[str, str]]:
    owners = obj["metadata"].get("ownerReferences") or []
    return [("Controlled By", f"{o['kind']}/{o['name']}") for o in owners if o.get("controller")]


def _time(text: str | None) -> str:
    if not text:
        return ""
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return when.strftime("%a, %d %b %Y %H:%M:%S +0000")


def _table(header: list[str], rows: Iterable[list[str]], indent: str = "  ") -> str:
    ruled = [header, ["-" * len(name) for name in header], *rows]
    return "".join(f"{indent}{line}\n" for line in Columns().text(ruled).splitlines())


def pod(obj: Object) -> str:
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    node = spec.get("nodeName")
    state = "Terminating" if metadata.get("deletionTimestamp") else status.get("phase", "")
    rows = [
        ("Name", metadata["name"]),
        ("Namespace", metadata["namespace"]),
        ("Priority", str(spec.get("priority", 0))),
        ("Service Account", spec.get("serviceAccountName", "default")),
        ("Node", f"{node}/{status.get('hostIP', '')}" if node else NONE),
        ("Start Time", _time(status.get("startTime"))),
        ("Labels", _map(metadata.get("labels"))),
        ("Annotations", _annotations(obj)),
        ("Status", state),
    ]
    rows += [(name, status[key]) for name, key in (("Reason", "reason"), ("Message", "message")) if status.get(key)]
    ips = "\n".join(f"IP:  {each['ip']}" for each in status.get("podIPs") or []) or NONE
    text = _pairs([*rows, ("IP", status.get("podIP", ""))]) + f"IPs:\n  {ips}\n"
    text += _pairs(_controlled_by(obj)) if _controlled_by(obj) else ""
    for title, field, statuses in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
    ):
        if spec.get(field):
            known = {s["name"]: s for s in status.get(statuses) or []}
            text += f"{title}:\n" + "".join(_container(c, known.get(c["name"], {})) for c in spec[field])
    conditions = [[c["type"], c["status"]] for c in status.get("conditions") or []]
    text += "Conditions:\n" + "".join(
        f"  {line}\n" for line in Columns().text([["Type", "Status"], *conditions]).splitlines()
    )
    text += _volumes(spec)
    tail = [
        ("QoS Class", status.get("qosClass", "")),
        ("Node-Selectors", _map(spec.get("nodeSelector"))),
        ("Tolerations", "\n".join(map(_toleration, spec.get("tolerations") or [])) or NONE),
    ]
    return text + _pairs(tail)


def _container(spec: Object, status: Object) -> str:
    ports = ", ".join(f"{p['containerPort']}/{p.get('protocol', 'TCP')}" for p in spec.get("ports") or [])
    rows = [
        ("Container ID", status.get("containerID", "")),
        ("Image", spec.get("image", "")),
        ("Image ID", status.get("imageID", "")),
        ("Port", ports or NONE),
    ]
    rows += [(name.title(), "\n".join(spec[name])) for name in ("command", "args") if spec.get(name)]
    rows += _state("State", status.get("state") or {"waiting": {}}) if status else []
    rows += _state("Last State", status["lastState"]) if status.get("lastState") else []
    rows += [("Ready", str(bool(status.get("ready")))), ("Restart Count", str(status.get("restartCount", 0)))]
    resources = spec.get("resources") or {}
    rows += [(name.title(), _map(resources[name], ":  ")) for name in ("limits", "requests") if resources.get(name)]
    environment = [f"{e['name']}:  {_env(e)}" for e in spec.get("env") or []]
    mounts = [
        f"{m['mountPath']} from {m['name']} ({'ro' if m.get('readOnly') else 'rw'})"
        for m in spec.get("volumeMounts") or []
    ]
    rows += [("Environment", "\n".join(environment) or NONE), ("Mounts", "\n".join(mounts) or NONE)]
    return f"  {spec['name']}:\n" + _pairs(rows, indent=4)


def _env(entry: Object) -> str:
    source = entry.get("valueFrom") or {}
    for kind, form in (("configMapKeyRef", "config map"), ("secretKeyRef", "secret")):
        if kind in source:
            return f"<set to the key '{source[kind]['key']}' of {form} '{source[kind]['name']}'>"
    if "fieldRef" in source:
        return f"({source['fieldRef'].get('apiVersion', 'v1')}:{source['fieldRef']['fieldPath']})"
    return str(entry.get("value", ""))


def _state(title: str, state: Object) -> list[tuple[str, str]]:
    name, detail = next(iter(state.items()))
    rows = [(title, name.title())]
    rows += [(f"  {key.title()}", str(detail[key])) for key in ("reason", "message") if detail.get(key)]
    if "exitCode" in detail:
        rows.append(("  Exit Code", str(detail["exitCode"])))
    rows += [
        (f"  {label}", _time(detail[key]))
        for label, key in (("Started", "startedAt"), ("Finished", "finishedAt"))
        if detail.get(key)
    ]
    return rows


def _volumes(spec: Object) -> str:
    if not spec.get("volumes"):
        return "Volumes:  <none>\n"
    text = "Volumes:\n"
    for volume in spec["volumes"]:
        kind = next((key for key in volume if key != "name"), "")
        detail = volume.get(kind) or {}
        rows = [("Type", kind[:1].upper() + kind[1:])]
        rows += [(key[:1].upper() + key[1:], str(v)) for key, v in detail.items() if isinstance(v, str | int | bool)]
        text += f"  {volume['name']}:\n" + _pairs(rows, indent=4)
    return text


def _toleration(entry: Object) -> str:
    text = str(entry.get("key", ""))
    text += f"={entry['value']}" if entry.get("value") else ""
    text += f":{entry['effect']}" if entry.get("effect") else ""
    text += " op=Exists" if entry.get("operator") == "Exists" else ""
    seconds = entry.get("tolerationSeconds")
    return f"{text} for {seconds}s" if seconds is not None else text


def node(obj: Object, pods: list[Object]) -> str:
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    roles = sorted(
        k.partition("/")[2] for k in metadata.get("labels") or {} if k.startswith("node-role.kubernetes.io/")
    )
    taints = [f"{t['key']}{'=' + t['value'] if t.get('value') else ''}:{t['effect']}" for t in spec.get("taints") or []]
    text = _pairs(
        [
            ("Name", metadata["name"]),
            ("Roles", ",".join(roles) or NONE),
            ("Labels", _map(metadata.get("labels"))),
            ("Annotations", _annotations(obj)),
            ("CreationTimestamp", _time(metadata.get("creationTimestamp"))),
            ("Taints", "\n".join(taints) or NONE),
            ("Unschedulable", str(bool(spec.get("unschedulable"))).lower()),
        ]
    )
    header = ["Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"]
    text += "Conditions:\n" + _table(
        header,
        (
            [
                *(c["type"], c["status"], _time(c.get("lastHeartbeatTime")), _time(c.get("lastTransitionTime"))),
                *(c.get("reason", ""), c.get("message", "")),
            ]
            for c in status.get("conditions") or []
        ),
    )
    addresses = [(a["type"], a["address"]) for a in status.get("addresses") or []]
    for title, rows in (
        ("Addresses", addresses),
        ("Capacity", sorted((status.get("capacity") or {}).items())),
        ("Allocatable", sorted((status.get("allocatable") or {}).items())),
        ("System Info", sorted((status.get("nodeInfo") or {}).items())),
    ):
        if rows:
            text += f"{title}:\n" + _pairs([(str(k), str(v)) for k, v in rows], indent=2)
    text += f"PodCIDR:  {spec.get('podCIDR', NONE)}\n"
    listed = [[p["metadata"]["namespace"], p["metadata"]["name"], *_requested(p)] for p in pods]
    text += f"Non-terminated Pods:  ({len(pods)} in total)\n"
    return text + _table(["Namespace", "Name", "CPU Requests", "Memory Requests"], listed)


def _requested(obj: Object) -> list[str]:
    requests = [(c.get("resources") or {}).get("requests") or {} for c in obj["spec"]["containers"]]
    return ["+".join(str(r[name]) for r in requests if name in r) or "0" for name in ("cpu", "memory")]


def replica_set(obj: Object, pods: list[Object]) -> str:
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status") or {}
    phases = [p.get("status", {}).get("phase", "") for p in pods]
    counts = " / ".join(f"{phases.count(phase)} {name}" for phase, name in (
        ("Running", "Running"), ("Pending", "Waiting"), ("Succeeded", "Succeeded"), ("Failed", "Failed")
    ))  # fmt: skip
    rows = [
        ("Name", metadata["name"]),
        ("Namespace", metadata["namespace"]),
        ("Selector", _map(spec["selector"].get("matchLabels")).replace("\n", ",")),
        ("Labels", _map(metadata.get("labels"))),
        ("Annotations", _annotations(obj)),
        *_controlled_by(obj),
        ("Replicas", f"{status.get('replicas', 0)} current / {spec.get('replicas', 0)} desired"),
        ("Pods Status", counts),
    ]
    template = spec["template"]
    text = _pairs(rows) + "Pod Template:\n" + _pairs([("Labels", _map(template["metadata"].get("labels")))], indent=2)
    text += "  Containers:\n" + "".join(f"  {line}\n" for c in template["spec"]["containers"] for line in _template(c))
    return text


def _template(spec: Object) -> list[str]:
    """A container that does not run has no state."""
    live = ("Container ID:", "Image ID:", "Ready:", "Restart Count:")
    return [line for line in _container(spec, {}).splitlines() if not line.strip().startswith(live)]


def generic(obj: Object, api_version: str, kind: str) -> str:
    metadata = obj["metadata"]
    rows = [
        ("Name", metadata["name"]),
        ("Namespace", metadata.get("namespace", "")),
        ("Labels", _map(metadata.get("labels"))),
        ("Annotations", _annotations(obj)),
        ("API Version", api_version),
        ("Kind", kind),
    ]
    rest = {k: v for k, v in obj.items() if k not in ("metadata", "apiVersion", "kind")}
    if kind == "Secret":
        rest["data"] = {k: f"{len(str(v)) * 3 // 4} bytes" for k, v in (obj.get("data") or {}).items()}
    return _pairs(rows) + "".join(_tree(rest, 0))


def _tree(value: Object, depth: int) -> Iterable[str]:
    for key, inner in value.items():
        title = " " * depth + key[:1].upper() + key[1:] + ":"
        if isinstance(inner, dict):
            yield title + "\n"
            yield from _tree(inner, depth + 2)
        elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
            yield title + "\n"
            for item in inner:
                yield from _tree(item if isinstance(item, dict) else {"-": item}, depth + 2)
        else:
            text = json.dumps(inner) if isinstance(inner, list | bool) else str(inner)
            yield f"{title}  {text}\n"
