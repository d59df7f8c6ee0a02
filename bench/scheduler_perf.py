"""Throughput of the scheduler's core on upstream's workloads: choose and assume with the queue, without API and store.

python bench/scheduler_perf.py [NAME ...] [--scale 0.1] [--repeat 3] [--profile] [--list]

What is timed is the planner: taking news (pods, victims that leave), deciding, requeueing. Making the objects is not.
A pod's latency is the time of its decision. Workloads, upstream's and our own, and upstream's numbers are in
scheduler_perf.yaml.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import pstats
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import yaml
from sampan_api.client import SERVICES
from sampan_api.meta import Object
from sampan_master.scheduler import read_config
from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.planner import Bind, Decision, Evict, Planner

HOSTNAME = "kubernetes.io/hostname"
POLICIES = Path(__file__).parents[1] / "docs" / "scheduling-policy.md"
_KINDS = 100
_BATCH = 32
"""Decisions between two rounds of requeueing, as in the scheduler's loop."""


@dataclass
class Timed:
    """Seconds in the planner while measuring, and one entry of `decisions` for each decision. `cpu` is the time this
    thread computed, bookkeeping of the benchmark included: other programs do not lengthen it."""

    spent: float = 0.0
    cpu: float = 0.0
    decisions: list[float] = field(default_factory=list)
    bound: int = 0

    def call(self, do: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter()
        result = do(*arguments)
        self.spent += time.perf_counter() - start
        return result


@dataclass
class Churn:
    """Does something after every so many measured pods."""

    every: int
    act: Callable[[], None]
    since: int = 0

    def tick(self) -> None:
        self.since += 1
        if self.since >= self.every:
            self.since = 0
            self.act()


class Run:
    def __init__(self, templates: dict[str, Any], scale: float, config: SchedulerConfig) -> None:
        self.planner = Planner(config)
        self.timed = Timed()
        self._templates, self._scale = templates, scale
        self._numbers, self._now = count(), 0.0
        self._churns: list[Churn] = []
        self._bound_in: dict[str, list[str]] = {}
        self._since_requeue = 0

    def do(self, op: dict[str, Any]) -> None:
        arguments = {key: value for key, value in op.items() if key != "op"}
        getattr(self, f"_{op['op']}")(**arguments)

    def _createNodes(
        self, *, count: int, template: str = "node", label: str = "", values: list[str] | None = None
    ) -> None:
        for i in range(self._scaled(count)):
            node = self._make(template, "node")
            node["metadata"]["labels"] = {HOSTNAME: node["metadata"]["name"]}
            if values:
                node["metadata"]["labels"][label] = values[i % len(values)]
            self.planner.put_node(node)

    def _createNamespaces(self, *, prefix: str, count: int, labels: dict[str, str] | None = None) -> None:
        for i in range(count):
            self.planner.put_namespace(f"{prefix}-{i}", labels or {})

    def _createService(self, *, selector: dict[str, str], namespace: str = "default") -> None:
        service = {"metadata": {"name": f"service-{next(self._numbers)}", "namespace": namespace}}
        self.planner.cluster.workloads.put(SERVICES, service | {"spec": {"selector": selector}})

    def _createPods(
        self,
        *,
        count: int,
        template: str = "pod",
        namespace: str = "default",
        namespaces: dict[str, Any] | None = None,
        measure: bool = False,
        wait: bool = True,
    ) -> None:
        among = [f"{namespaces['prefix']}-{i}" for i in range(namespaces["count"])] if namespaces else [namespace]
        pods = [self._pod(template, among[i % len(among)]) for i in range(self._scaled(count))]
        uids = {pod["metadata"]["uid"] for pod in pods}
        timed, cpu = self.timed if measure else Timed(), time.thread_time()
        for pod in pods:
            timed.call(self.planner.put_pod, pod, self._now)
        if wait:
            self._until_bound(timed, uids, self._churns if measure else [])
        timed.cpu += time.thread_time() - cpu

    def _until_bound(self, timed: Timed, uids: set[str], churns: list[Churn]) -> None:
        for uid in self._drain(timed):
            if uid in uids:
                timed.bound += 1
                for churn in churns:
                    churn.tick()
                if timed.bound == len(uids):
                    return
        raise SystemExit(f"only {timed.bound} of {len(uids)} pods were bound")

    def _barrier(self) -> None:
        """Until all that can be decided is."""
        for _ in self._drain(Timed(), give_up=True):
            pass

    def _churn(self, *, mode: str, templates: list[str], every: int, service: bool = False) -> None:
        before: list[Callable[[], None]] = []

        def act() -> None:
            if mode == "recreate":
                while before:
                    before.pop()()
            for template in templates:
                before.append(self._put_any(template))
            if service:
                self._createService(selector={"app": "churn"})

        self._churns.append(Churn(every, act))

    def _put_any(self, template: str) -> Callable[[], None]:
        """Puts one object; the answer takes it away again."""
        if template.startswith("node"):
            node = self._make(template, "node")
            self.timed.call(self.planner.put_node, node)
            return lambda: self.timed.call(self.planner.remove_node, node["metadata"]["name"])
        pod = self._pod(template, "default")
        self.timed.call(self.planner.put_pod, pod, self._now)
        return lambda: self.timed.call(self.planner.remove_pod, pod["metadata"]["uid"])

    def _deletePods(self, *, namespace: str, every: int) -> None:
        leaving = iter(self._bound_in[namespace])

        def act() -> None:
            uid = next(leaving, None)
            if uid is not None:
                self.timed.call(self.planner.remove_pod, uid)

        self._churns.append(Churn(every, act))

    def _drain(self, timed: Timed, *, give_up: bool = False) -> Iterator[str]:
        """Decides until nothing is left to decide; the uids of pods as they are bound."""
        while True:
            decision, seconds = self._next(timed)
            if decision is not None:
                timed.decisions.append(seconds)
                yield from self._perform(decision, timed)
            elif not self._rest(timed, give_up):
                return

    def _next(self, timed: Timed) -> tuple[Decision | None, float]:
        self._since_requeue += 1
        if self._since_requeue >= _BATCH:
            self._since_requeue = 0
            timed.call(self.planner.requeue, self._now)
        before = timed.spent
        return timed.call(self.planner.next, self._now), timed.spent - before

    def _rest(self, timed: Timed, give_up: bool) -> bool:
        """Nothing is active: requeues, or lets time pass. Says whether there may be something to decide now."""
        timed.call(self.planner.requeue, self._now)
        if self.planner.queue.has_some() or self.planner.checks_left:
            return True
        seconds = self.planner.queue.next_tick(self._now)
        if seconds is None or give_up:
            return False
        self._now += max(seconds, 0.001)
        return True

    def _perform(self, decision: Decision, timed: Timed) -> Iterator[str]:
        if isinstance(decision, Bind):
            pod = decision.waiting.pod
            timed.call(self.planner.bound, decision.waiting)
            bound = pod | {"spec": pod["spec"] | {"nodeName": decision.node}}
            timed.call(self.planner.put_pod, bound, self._now)
            uid, namespace = pod["metadata"]["uid"], pod["metadata"]["namespace"]
            self._bound_in.setdefault(namespace, []).append(uid)
            yield uid
        elif isinstance(decision, Evict):
            for victim in decision.victims:
                timed.call(self.planner.remove_pod, victim.uid)

    def _pod(self, template: str, namespace: str) -> Object:
        pod = self._make(template, "pod")
        pod["metadata"] |= {"namespace": namespace, "uid": pod["metadata"]["name"], "generation": 1}
        pod["spec"]["schedulerName"] = "default-scheduler"
        return pod

    def _make(self, template: str, prefix: str) -> Object:
        number = next(self._numbers)
        made: Object = _filled(self._templates[template], {"number": number, "kind": number % _KINDS})
        made.setdefault("metadata", {}).setdefault("name", f"{prefix}-{number}")
        return made

    def _scaled(self, number: int) -> int:
        return max(1, round(number * self._scale))


def _filled(template: Any, numbers: dict[str, int]) -> Any:
    """A copy in which $number, another one each time, and $kind, one of a hundred, stand in strings."""
    match template:
        case dict():
            return {key: _filled(value, numbers) for key, value in template.items()}
        case list():
            return [_filled(value, numbers) for value in template]
        case str() if "$" in template:
            return Template(template).substitute(numbers)
        case _:
            return template


def with_policy() -> SchedulerConfig:
    """The example of the page about policies."""
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", POLICIES.read_text(), re.DOTALL))
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "batch.py").write_text(blocks["python"])
        path = Path(directory) / "scheduler.yaml"
        path.write_text(blocks["yaml"])
        return read_config(path)


def templates(raw: dict[str, Any]) -> dict[str, Any]:
    """Templates that are `like` another one have its spec beside their own."""
    made = {}
    for name, template in raw.items():
        like = raw[template["like"]]["spec"] if "like" in template else {}
        own = {key: value for key, value in template.items() if key != "like"}
        made[name] = own | {"spec": like | template.get("spec", {})}
    return made


def measure(workload: dict[str, Any], made: dict[str, Any], scale: float) -> Timed:
    run = Run(made, scale, with_policy() if workload.get("policy") else SchedulerConfig())
    for op in workload["do"]:
        run.do(op)
    return run.timed


COLUMNS = ("workload", "pods", "pods/s", "/CPU s", "goal", "bar", "p50 us", "p90", "p99", "load")
WIDTHS = (28, 7, 10, 10, 8, 7, 9, 8, 9, 7)


def report(workload: dict[str, Any], timed: Timed) -> None:
    latencies = np.percentile(np.array(timed.decisions) * 1e6, (50, 90, 99))
    rates = [timed.bound, timed.bound / timed.spent, timed.bound / timed.cpu]
    bars = [f"{workload[key]:,}" if key in workload else "-" for key in ("goal", "bar")]
    numbers = [f"{value:,.0f}" for value in latencies]
    row(workload["name"], *(f"{rate:,.0f}" for rate in rates), *bars, *numbers, f"{os.getloadavg()[0]:.1f}")


def row(*cells: str) -> None:
    first, *rest = zip(cells, WIDTHS, strict=True)
    print(first[0].ljust(first[1]) + "".join(cell.rjust(width) for cell, width in rest), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the numbers of nodes and pods")
    parser.add_argument("--repeat", type=int, default=1, help="the fastest run counts")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    definition = yaml.safe_load((Path(__file__).parent / "scheduler_perf.yaml").read_text())
    made, workloads = templates(definition["templates"]), {w["name"]: w for w in definition["workloads"]}
    unknown = set(arguments.names) - set(workloads)
    if unknown:
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(workloads)}")
    if arguments.list:
        print("\n".join(workloads))
        return
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, scale {arguments.scale:g}"
    )
    row(*COLUMNS)
    for workload in [workloads[name] for name in arguments.names] or workloads.values():
        if arguments.profile:
            profile = cProfile.Profile()
            timed = profile.runcall(measure, workload, made, arguments.scale)
            report(workload, timed)
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        else:
            runs = [measure(workload, made, arguments.scale) for _ in range(arguments.repeat)]
            report(workload, min(runs, key=lambda timed: timed.spent))


if __name__ == "__main__":
    main()
