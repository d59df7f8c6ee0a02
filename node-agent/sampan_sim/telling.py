"""Events of simulated pods, in a kubelet's words; only where the file asks for them."""

from __future__ import annotations

from sampan_api.client import PODS
from sampan_api.meta import Object
from sampan_api.recorder import EventRecorder


class Teller:
    """`recorder` None: told to nobody, except what cannot be seen otherwise."""

    def __init__(self, recorder: EventRecorder, *, everything: bool) -> None:
        self._recorder, self._everything = recorder, everything

    def started(self, pod: Object, attempt: int) -> None:
        if not self._everything:
            return
        for container in pod["spec"]["containers"]:
            name, image = container["name"], container.get("image", "")
            if not attempt:
                self._tell(pod, "Normal", "Pulled", f'Container image "{image}" already present on machine')
            self._tell(pod, "Normal", "Created", f"Container created: {name}")
            self._tell(pod, "Normal", "Started", f"Container started: {name}")

    def backing_off(self, pod: Object) -> None:
        if not self._everything:
            return
        metadata = pod["metadata"]
        whole = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        for container in pod["spec"]["containers"]:
            message = f"Back-off restarting failed container {container['name']} in pod {whole}"
            self._tell(pod, "Warning", "BackOff", message)

    def stopping(self, pod: Object) -> None:
        if self._everything:
            for container in pod["spec"]["containers"]:
                self._tell(pod, "Normal", "Killing", f"Stopping container {container['name']}")

    def no_address(self, pod: Object, node: str) -> None:
        message = f'Failed to create pod sandbox: the podCIDR of simulated node "{node}" has no address left'
        self._tell(pod, "Warning", "FailedCreatePodSandBox", message)

    def _tell(self, pod: Object, type_: str, reason: str, message: str) -> None:
        self._recorder.record(PODS, pod, type_, reason, message)
