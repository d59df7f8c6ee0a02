"""A seeded random walk of faults and changes over a whole cluster; a failure replays from the printed seed.

    python tests/e2e/chaos.py SEED [STEPS]

Every step is either a change (scale, delete, apply, label) or a fault (kill -9, SIGSTOP, a link down). At the end
everything is healed, and what the API says must be what the kernel shows: see `Walk.check`.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import random
import re
import signal
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from lab import Cluster, eventually, is_ready, run, start_time

HEAL_SECONDS = 120.0
NODES = ("node1", "node2", "node3")
COMPONENTS = ("master", "etcd", "agent", "runtime", "zygote", "supervisor", "guardian")
SETS = ("red", "green", "blue")
POD_CGROUP = re.compile(r"/pod([0-9a-f-]{36})/[0-9a-f]{64}/([0-9a-f]{64})$", re.MULTILINE)
TROUBLE = re.compile(r"Traceback|never retrieved|was never awaited|Task was destroyed|ResourceWarning", re.MULTILINE)
FAST_NODES = [
    *("--node-heartbeat-seconds", "1", "--node-monitor-grace-seconds", "8"),
    *("--node-monitor-period-seconds", "1", "--default-toleration-seconds", "2"),
]


class Api:
    """JSON over the admin kubeconfig; a request that gets no answer raises OSError."""

    def __init__(self, kubeconfig: str) -> None:
        text = Path(kubeconfig).read_text()

        def field(name: str) -> str:
            found = re.search(rf"{name}: (\S+)", text)
            assert found, name
            return found.group(1).strip('"')

        def pem(name: str) -> str:
            return base64.b64decode(field(f"{name}-data")).decode()

        self.address = field("server").removeprefix("https://")
        self.tls = ssl.create_default_context(cadata=pem("certificate-authority"))
        with tempfile.NamedTemporaryFile("w") as both:
            both.write(pem("client-certificate") + pem("client-key"))
            both.flush()
            self.tls.load_cert_chain(both.name)

    def call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", timeout: float = 30
    ) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection(self.address, context=self.tls, timeout=timeout)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (http.client.HTTPException, ValueError) as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def items(self, resource: str, group: str = "api/v1", namespace: str = "default") -> list[dict[str, Any]]:
        where = f"namespaces/{namespace}/" if namespace else ""
        try:
            status, body = self.call("GET", f"/{group}/{where}{resource}")
        except OSError as error:
            raise AssertionError(f"GET {resource}: {error}") from error
        assert status == 200, f"GET {resource}: {status} {body}"
        return list(body["items"])


def pod_spec(kind: str, grace: int, policy: str) -> dict[str, Any]:
    stubborn = "trap '' TERM; while true; do sleep 1; done"
    hog = {"command": ["sh", "-c", "sleep 1; tail /dev/zero"], "resources": {"limits": {"memory": "20Mi"}}}
    containers: dict[str, list[dict[str, Any]]] = {
        "sleep": [{"command": ["sleep", "36000"]}],
        "two": [{"command": ["sleep", "36000"]}, {"command": ["sh", "-c", "while true; do date; sleep 1; done"]}],
        "stubborn": [{"command": ["sh", "-c", stubborn]}],
        "crash": [{"command": ["sh", "-c", "sleep 2; exit 3"]}],
        "hog": [hog],
    }
    made = [{"name": f"c{i}", "image": "busybox:1.35", **c} for i, c in enumerate(containers[kind])]
    return {"restartPolicy": policy, "terminationGracePeriodSeconds": grace, "containers": made}


def replicaset(name: str, replicas: int, spec: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def inits(cluster: str) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """(pod uid, container id) → every live first process (pid 1 of its own pid namespace), with its start time."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            cgroups = (entry / "cgroup").read_text()
            if f"/sampan/{cluster}/" not in cgroups:
                continue
            status = (entry / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        in_pod = POD_CGROUP.search(cgroups)
        spaces = re.search(r"^NSpid:\s*(.*)$", status, re.MULTILINE)
        started = start_time(int(entry.name))
        if in_pod and spaces and spaces.group(1).split()[1:] == ["1"] and started is not None:
            found.setdefault((in_pod.group(1), in_pod.group(2)), []).append((int(entry.name), started))
    return found


def shims(cluster: str) -> list[int]:
    """Processes of pods that are not in a container: shims and blank ones, told by their zygote's cluster."""
    return [pid for pids in inits(cluster).values() for pid, _ in pids]


class Walk:
    def __init__(self, seed: int, steps: int) -> None:
        self.random = random.Random(seed)
        self.seed, self.steps = seed, steps
        self.cluster = Cluster(
            f"chaos{seed}", ["--port", str(30000 + seed % 2000), "--nodes", "3", "--no-apply", *FAST_NODES]
        )
        self.acknowledged: set[str] = set()
        self.over = threading.Event()
        self.stopped: list[int] = []
        self.links: dict[str, str] = {}
        self.sets: dict[str, int] = {}
        self.writer = threading.Thread(target=self._write, daemon=True)

    def say(self, text: str) -> None:
        print(f"[{time.strftime('%H:%M:%S')} seed {self.seed}] {text}", flush=True)

    def _write(self) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            name = f"ack-{number}"
            body = {"metadata": {"name": name}, "data": {"n": str(number)}}
            with contextlib.suppress(OSError):
                if self.api.call("POST", "/api/v1/namespaces/default/configmaps", body)[0] == 201:
                    self.acknowledged.add(name)
            self.over.wait(0.05)

    def run(self) -> None:
        self.say("up")
        self.cluster.up()
        self.api = Api(self.cluster.kubeconfig)
        status = json.loads(self.cluster_status())
        self.links = {node["name"]: node["link"] for node in status["nodes"]}
        self.baseline = self.footprint()
        self.writer.start()
        for number in range(self.steps):
            step = self.random.choices([self.change, self.fault], [3, 2])[0]
            self.say(f"{number + 1}/{self.steps} {step()}")
            self.over.wait(self.random.choice([0, 0, 0.1, 0.5, 2]))
        self.heal()
        self.over.set()
        self.writer.join(60)
        self.check()
        self.quiet()
        self.empty()
        self.logs()

    def cluster_status(self) -> str:
        from lab import SAMPAN

        return run(SAMPAN, "status", "--cluster", self.cluster.name, "-o", "json", check=False).stdout

    # Changes

    def change(self) -> str:
        verb = self.random.choice(
            [self.apply, self.apply, self.scale, self.scale, self.delete_pod, self.bare, self.label]
        )
        with contextlib.suppress(OSError):
            return verb()
        return f"{verb.__name__}: no answer"

    def apply(self) -> str:
        name = self.random.choice(SETS)
        replicas, kind = (
            self.random.randint(0, 8),
            self.random.choice(["sleep", "sleep", "two", "stubborn", "crash", "hog"]),
        )
        body = replicaset(name, replicas, pod_spec(kind, self.random.choice([0, 1, 3]), "Always"))
        if name in self.sets and self.random.random() < 0.5:
            code = self.api.call("DELETE", f"/apis/apps/v1/namespaces/default/replicasets/{name}", {})[0]
            return f"delete rs {name}: {code}"
        code = self.api.call("POST", "/apis/apps/v1/namespaces/default/replicasets", body)[0]
        self.sets[name] = replicas
        return f"create rs {name} {kind} x{replicas}: {code}"

    def scale(self) -> str:
        name, replicas = self.random.choice(SETS), self.random.choice([0, 1, 3, 5, 12, 20])
        path = f"/apis/apps/v1/namespaces/default/replicasets/{name}/scale"
        code = self.api.call("PATCH", path, {"spec": {"replicas": replicas}}, "application/merge-patch+json")[0]
        return f"scale {name} to {replicas}: {code}"

    def _pods(self) -> list[dict[str, Any]]:
        status, body = self.api.call("GET", "/api/v1/namespaces/default/pods")
        return list(body["items"]) if status == 200 else []

    def delete_pod(self) -> str:
        pods = self._pods()
        done = []
        for pod in self.random.sample(pods, min(len(pods), self.random.randint(1, 5))):
            options = self.random.choice([{}, {"gracePeriodSeconds": 0}, {"gracePeriodSeconds": 1}])
            name = pod["metadata"]["name"]
            code = self.api.call("DELETE", f"/api/v1/namespaces/default/pods/{name}", options)[0]
            done.append(f"{name} {options} {code}")
        return "delete " + ", ".join(done)

    def bare(self) -> str:
        kind = self.random.choice(["sleep", "crash", "hog", "stubborn"])
        policy = self.random.choice(["Always", "OnFailure", "Never"])
        name = f"bare-{self.random.randrange(10**6)}"
        spec = pod_spec(kind, self.random.choice([0, 1, 3]), policy)
        if self.random.random() < 0.3:
            spec["nodeName"] = self.random.choice(NODES)
        body = {"metadata": {"name": name, "labels": {"app": "bare"}}, "spec": spec}
        code = self.api.call("POST", "/api/v1/namespaces/default/pods", body)[0]
        return f"create {name} {kind} {policy}: {code}"

    def label(self) -> str:
        pods = self._pods()
        if not pods:
            return "nothing to label"
        name, app = self.random.choice(pods)["metadata"]["name"], self.random.choice([*SETS, None])
        body = {"metadata": {"labels": {"app": app}}}
        path = f"/api/v1/namespaces/default/pods/{name}"
        return f"label {name} {app}: {self.api.call('PATCH', path, body, 'application/merge-patch+json')[0]}"

    # Faults

    def processes(self) -> list[dict[str, Any]]:
        found = json.loads(self.cluster_status() or '{"processes": []}')["processes"]
        return [p for p in found if p["pid"] and start_time(p["pid"]) is not None]

    def fault(self) -> str:
        return self.random.choice([self.kill, self.kill, self.kill_many, self.pause, self.kill_in_pod, self.link])()

    def kill(self, count: int = 1) -> str:
        chosen = self.random.sample(COMPONENTS, count)
        if "supervisor" in chosen and "guardian" in chosen:
            chosen.remove("guardian")  # They start each other again; with both gone only `up` does.
        node = self.random.choice(NODES)
        hit = []
        for process in self.processes():
            if process["name"] in chosen and process["node"] in ("", node) and process["pid"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process["pid"], signal.SIGKILL)
                    hit.append(process["component"])
        return f"kill -9 {' '.join(hit)}"

    def kill_many(self) -> str:
        return self.kill(self.random.choice([2, 3, len(COMPONENTS)]))

    def pause(self) -> str:
        wanted = self.random.choice(["etcd", "master", "agent", "runtime"])
        chosen = [p for p in self.processes() if p["name"] == wanted]
        if not chosen:
            return f"no {wanted} to stop"
        process, seconds = self.random.choice(chosen), self.random.choice([0.5, 1, 3, 8])
        os.kill(process["pid"], signal.SIGSTOP)
        self.over.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["pid"], signal.SIGCONT)
        return f"stopped {process['component']} for {seconds} s"

    def kill_in_pod(self) -> str:
        found = sorted(inits(self.cluster.name).items())
        if not found:
            return "no container to kill"
        (uid, _), processes = self.random.choice(found)
        pid = processes[0][0]
        what = "init"
        if self.random.random() < 0.5:
            what = "shim"
            pid = _parent(pid) or pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return f"kill -9 {what} {pid} of pod {uid}"

    def link(self) -> str:
        node, seconds = self.random.choice(NODES), self.random.choice([0.5, 2, 8, 12])
        run("ip", "link", "set", self.links[node], "down")
        self.over.wait(seconds)
        run("ip", "link", "set", self.links[node], "up")
        return f"link of {node} down for {seconds} s"

    # Checks

    def heal(self) -> None:
        self.say("heal")
        self.cluster.up()

    def check(self) -> None:
        self.say("check")
        began = time.monotonic()
        eventually(self._converged, "spec == status == kernel", HEAL_SECONDS, 0.5)
        self.say(f"converged in {time.monotonic() - began:.1f} s")
        stored = {item["metadata"]["name"] for item in self.api.items("configmaps")}
        assert not self.acknowledged - stored, f"acknowledged writes are lost: {self.acknowledged - stored}"

    def _converged(self) -> bool:
        pods, kernel = self.api.items("pods"), inits(self.cluster.name)
        nodes = self.api.items("nodes", namespace="")
        for node in nodes:
            ready = [c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready"]
            assert ready == ["True"], f"{node['metadata']['name']} Ready {ready}"
            assert not node["spec"].get("taints"), node["spec"]["taints"]
        for rs in self.api.items("replicasets", "apis/apps/v1"):
            name, wanted = rs["metadata"]["name"], rs["spec"]["replicas"]
            owned = [p for p in pods if _owned(p, rs) and p["status"]["phase"] not in ("Failed", "Succeeded")]
            assert len(owned) == wanted == rs["status"]["replicas"], f"{name}: {len(owned)} of {wanted} {rs['status']}"
        ips = [p["status"]["podIP"] for p in pods if p["status"]["phase"] == "Running"]
        assert len(ips) == len(set(ips)), f"addresses twice: {sorted(ips)}"
        for pod in pods:
            _agrees(pod, kernel)
        known = {p["metadata"]["uid"] for p in pods}
        strays = {key: pids for key, pids in kernel.items() if key[0] not in known}
        assert not strays, f"strays {strays}"
        assert all(len(pids) == 1 for pids in kernel.values()), f"doubles {kernel}"
        return True

    def quiet(self) -> None:
        """Where nothing is disturbed nothing restarts: steady containers keep pid and restart count over 3 s."""
        before = {p["metadata"]["uid"]: p for p in self.api.items("pods") if is_ready(p) and _steady(p)}
        kernel = inits(self.cluster.name)
        threading.Event().wait(3)
        after = {p["metadata"]["uid"]: p for p in self.api.items("pods")}
        now = inits(self.cluster.name)
        for uid, pod in before.items():
            assert uid in after, f"{pod['metadata']['name']} went by itself"
            assert _restarts(after[uid]) == _restarts(pod), f"{pod['metadata']['name']} restarted by itself"
            for key in kernel:
                assert key[0] != uid or kernel[key] == now.get(key), f"{pod['metadata']['name']} changed process"

    def empty(self) -> None:
        self.say("delete everything")
        for resource, group in (("replicasets", "apis/apps/v1"), ("pods", "api/v1")):
            for item in self.api.items(resource, group):
                name = item["metadata"]["name"]
                self.api.call("DELETE", f"/{group}/namespaces/default/{resource}/{name}", {})
        eventually(lambda: not self.api.items("pods"), "no pod is left", HEAL_SECONDS, 0.3)
        try:
            eventually(lambda: not self.leaks(), "nothing is left in the kernel", HEAL_SECONDS, 0.5)
        except AssertionError:
            raise AssertionError(f"left over: {self.leaks()}") from None

    def footprint(self) -> dict[str, set[str]]:
        name = self.cluster.name
        run_dirs, state = Path("/run/sampan") / name, Path("/var/lib/sampan") / name
        prefix = [str(p) for p in Path("/sys/fs/cgroup").glob(f"*/sampan/{name}/node*/kubepods/*/pod*")]
        prefix += [str(p) for p in Path("/sys/fs/cgroup").glob(f"sampan/{name}/node*/kubepods/*/pod*")]
        veths: set[str] = set()
        for node in NODES:
            shown = run("ip", "netns", "exec", f"sampan-{name}-{node}", "ip", "-o", "link", check=False).stdout
            veths |= {f"{node}/{line.split(': ')[1].split('@')[0]}" for line in shown.splitlines() if "master" in line}
        mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
        kept = {str(p) for p in state.glob("node*/agent/pods/*")}
        kept |= {str(p) for kind in ("sandboxes", "containers") for p in state.glob(f"node*/runtime/{kind}/*")}
        return {
            "cgroups": set(prefix),
            "veths": veths,
            "mounts": {m for m in mounts if m.startswith((str(state), str(run_dirs)))},
            "directories": kept,
            "processes": {str(pid) for pid in shims(name)},
        }

    def leaks(self) -> dict[str, set[str]]:
        now = self.footprint()
        veths = now.pop("veths")
        spare = max(len(self.baseline["veths"]), 6)  # blank sandboxes wait with a link each
        left = {kind: found for kind, found in now.items() if found}
        return {**left, **({"veths": veths} if len(veths) > spare else {})}

    def logs(self) -> None:
        for path in Path("/var/lib/sampan", self.cluster.name).glob("**/log/*.log"):
            lines = path.read_text(errors="replace").splitlines()
            for number in [n for n, line in enumerate(lines) if TROUBLE.search(line)][:3]:
                self.say(f"{path}:{number + 1}\n    " + "\n    ".join(lines[max(0, number - 2) : number + 40]))
        for process in self.processes():
            pid = process["pid"]
            fds, threads = len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))
            rss = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
            self.say(f"{process['component']}: {fds} fds, {threads} threads, {rss and int(rss.group(1)) // 1024} MB")


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _owned(pod: dict[str, Any], rs: dict[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences", [])
    return any(o["uid"] == rs["metadata"]["uid"] for o in owners) and "deletionTimestamp" not in pod["metadata"]


def _steady(pod: dict[str, Any]) -> bool:
    command = json.dumps(pod["spec"]["containers"][0]["command"])
    return "exit 3" not in command and "/dev/zero" not in command


def _restarts(pod: dict[str, Any]) -> list[int]:
    return [status["restartCount"] for status in pod["status"].get("containerStatuses", [])]


def _agrees(pod: dict[str, Any], kernel: dict[tuple[str, str], list[tuple[int, int]]]) -> None:
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    assert "deletionTimestamp" not in pod["metadata"], f"{name} is still being deleted"
    assert pod["spec"].get("nodeName"), f"{name} has no node"
    statuses = pod["status"].get("containerStatuses", [])
    assert len(statuses) == len(pod["spec"]["containers"]), f"{name}: {pod['status']}"
    running = {s["containerID"].rpartition("/")[2] for s in statuses if "running" in s["state"]}
    seen = {container for owner, container in kernel if owner == uid}
    assert running == seen, f"{name}: status says {running}, the kernel has {seen}; {pod['status']}"
    if _steady(pod) and pod["spec"]["restartPolicy"] == "Always":
        assert is_ready(pod), f"{name} is not Ready: {pod['status']}"


def main(argv: list[str]) -> int:
    seed = int(argv[0]) if argv else int(time.time()) % 100000
    print(f"seed {seed}", flush=True)
    walk = Walk(seed, int(argv[1]) if len(argv) > 1 else 25)
    try:
        walk.run()
    except AssertionError as error:
        walk.say(f"FAILED: {error}")
        walk.logs()
        if "--keep" in argv:
            return 1
        walk.cluster.down()
        return 1
    except KeyboardInterrupt:
        walk.cluster.down()
        return 130
    walk.cluster.down()
    walk.say("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
