"""A whole Sampan cluster on this machine for the end-to-end tests, driven only as a user drives it: the `sampan`
command, the real kubectl with the written kubeconfig, and the kernel's own files as evidence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))
import evidence

ROOT = Path(__file__).resolve().parents[2]
SAMPAN = Path(sys.executable).with_name("sampan")
KUBECTL = Path(sys.prefix) / "share" / "sampan" / "bin" / "kubectl"

T = TypeVar("T")


def run(
    *argv: str | Path, check: bool = True, timeout: float = 180, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; a failure shows what it printed."""
    done = subprocess.run([str(a) for a in argv], text=True, capture_output=True, timeout=timeout, **options)
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(map(str, argv))} exited {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
    return done


def eventually(question: Callable[[], T], what: str, timeout: float = 120, pause: float = 0.1) -> T:
    """The first true answer of `question`; fails with the last one when `timeout` seconds have passed."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            answer: Any = question()
        except AssertionError as error:
            answer, seen = None, str(error)
        else:
            seen = repr(answer)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}; last seen: {seen[:3000]}")
        time.sleep(pause)


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat in clock ticks: with the pid, the identity of a process. None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass
class Terminal:
    process: subprocess.Popen[bytes]
    file: Path

    @property
    def text(self) -> str:
        return self.file.read_text()

    def until(self, words: str) -> None:
        eventually(lambda: words in self.text or self.process.poll() is not None, f"{words!r} is shown")
        assert words in self.text, self.text


@dataclass
class Cluster:
    """One running cluster. `kubectl` and `sampan` fail the test when the command fails, unless told otherwise."""

    name: str
    up_flags: list[str] = field(default_factory=list)

    def up(self) -> subprocess.CompletedProcess[str]:
        evidence.add(f"cluster {self.name}", self.told)
        return run(SAMPAN, "up", "--cluster", self.name, "--timeout", "240", *self.up_flags, timeout=600)

    def down(self) -> subprocess.CompletedProcess[str]:
        evidence.remove(f"cluster {self.name}")
        done = run(SAMPAN, "down", "--cluster", self.name, timeout=300)
        shutil.rmtree(self.home, ignore_errors=True)
        return done

    @property
    def home(self) -> str:
        """Where kubectl keeps what it remembers of this cluster."""
        return f"/tmp/sampan-e2e-home-{self.name}"

    def told(self) -> str:
        """What it says of itself when a test has failed: its objects, and the ends of its processes' logs."""
        asked = [run(SAMPAN, "status", "--cluster", self.name, check=False)]
        for what in ("nodes,pods", "events"):
            asked.append(self.kubectl("get", what, "-A", "-o", "wide", "--request-timeout=20s", check=False))
        said = [(done.stdout + done.stderr)[-8000:] for done in asked]
        logs = sorted(Path("/var/lib/sampan", self.name).glob("**/log/*.log"))
        return "\n".join(said + [evidence.tail(log, 40) for log in logs])

    @property
    def kubeconfig(self) -> str:
        return run(SAMPAN, "kubeconfig", "--cluster", self.name).stdout.strip()

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": self.kubeconfig, "HOME": self.home}

    def kubectl(
        self, *args: str, check: bool = True, timeout: float = 180, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return run(KUBECTL, *args, check=check, timeout=timeout, env=self.environment(), input=stdin)

    @contextmanager
    def start(self, *args: str) -> Iterator[Terminal]:
        """kubectl in "another terminal", ended where it has not ended by itself."""
        with (
            tempfile.NamedTemporaryFile("r+") as shown,
            open(os.devnull) as nothing,
            subprocess.Popen(
                [KUBECTL, *args], env=self.environment(), stdin=nothing, stdout=shown, stderr=subprocess.STDOUT
            ) as process,
        ):
            try:
                yield Terminal(process, Path(shown.name))
            finally:
                process.terminate()

    def get(self, *args: str) -> Any:
        return json.loads(self.kubectl("get", *args, "-o", "json").stdout)

    def items(self, *args: str) -> list[dict[str, Any]]:
        return list(self.get(*args)["items"])

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=manifest)

    def exec(
        self, pod: str, *command: str, container: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        chosen = ["-c", container] if container else []
        return self.kubectl("exec", pod, *chosen, "--", *command, check=check)

    def ready_pods(self, selector: str) -> list[dict[str, Any]]:
        """Pods that are Ready and not being deleted."""
        return [pod for pod in self.items("pods", "-l", selector) if is_ready(pod)]

    def wait_ready(self, selector: str, count: int) -> list[dict[str, Any]]:
        return eventually(
            lambda: (pods := self.ready_pods(selector)) and len(pods) == count and pods,
            f"{count} pods with {selector} Ready",
        )

    def wait_gone(self, selector: str) -> None:
        eventually(lambda: not self.items("pods", "-l", selector), f"no pod with {selector}")

    def processes(self) -> list[dict[str, Any]]:
        """What the supervisor keeps alive: [{"name", "node", "pid"}]."""
        status = json.loads(run(SAMPAN, "status", "--cluster", self.name, "-o", "json").stdout)
        return list(status["processes"])

    def pid(self, name: str, node: str = "") -> int:
        return next(p["pid"] for p in self.processes() if p["name"] == name and p.get("node", "") == node)


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def wait_ready(cluster: Cluster, name: str) -> dict[str, Any]:
    return eventually(lambda: (p := cluster.get("pod", name)) and is_ready(p) and p, f"pod {name} is Ready")


def container_processes(pods: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    """(pod uid, container id) → (host pid, start time) of every container's first process, read from the kernel: the
    cgroup path of a process carries the pod's uid and the container's id."""
    wanted = {
        (pod["metadata"]["uid"], status["containerID"].rpartition("/")[2])
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    }
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            cgroups = (entry / "cgroup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for identity in wanted:
            if identity[0] not in cgroups or identity[1] not in cgroups:
                continue
            pid = int(entry.name)
            started = start_time(pid)
            if started is not None and (identity not in found or (started, pid) < found[identity][::-1]):
                found[identity] = (pid, started)
    return found
