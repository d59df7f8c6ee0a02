"""From `kubectl apply` (or a bare POST) to the pod's Ready condition, one container, image present.

    .venv/bin/python bench/apply_to_ready.py [--pods 40]

A single pod at a time on three idle nodes, with a pause between them. The peer on a machine like this one: the real
kubelet with containerd and runc, 0.82 s from `kubectl apply` (docs/ARCHITECTURE.md, Budgets).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from cluster import Api, PodWatcher, cluster, print_machine, quantiles

KUBECTL = Path(sys.prefix) / "share" / "sampan" / "bin" / "kubectl"
PODS = "/api/v1/namespaces/default/pods"


def pod(name: str) -> dict[str, object]:
    container = {"name": "c", "image": "busybox:1.35", "command": ["sleep", "3600"]}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pods", type=int, default=40)
    count = arguments.parse_args().pods
    print_machine()
    with cluster() as kubeconfig:
        api = Api(kubeconfig)
        watcher = PodWatcher(api, "default")
        post, apply, scheduled = [], [], []
        for number in range(count):
            name, began = f"post-{number}", time.monotonic()
            api.call("POST", PODS, pod(name))
            watcher.wait(lambda seen, name=name: (name, "Ready") in seen)
            post.append(watcher.moments[name, "Ready"] - began)
            scheduled.append(watcher.moments[name, "PodScheduled"] - began)
            api.call("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0")
            time.sleep(0.2)
            name, began = f"apply-{number}", time.monotonic()
            subprocess.run(
                [KUBECTL, "--kubeconfig", kubeconfig, "apply", "-f", "-"],
                input=json.dumps(pod(name)), text=True, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            watcher.wait(lambda seen, name=name: (name, "Ready") in seen)
            apply.append(watcher.moments[name, "Ready"] - began)
            api.call("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0")
            time.sleep(0.2)
        print(f"POST → PodScheduled: {quantiles(scheduled)}")
        print(f"POST → Ready: {quantiles(post)}")
        print(f"kubectl apply (its own start included) → Ready: {quantiles(apply)}")


if __name__ == "__main__":
    main()
