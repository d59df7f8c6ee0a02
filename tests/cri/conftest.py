"""A daemon of its own for the tests that need a kernel: own directories, cgroup root and network namespace."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import evidence
import grpc
import pytest
from cri_api.v1 import api_pb2 as cri
from cri_api.v1 import api_pb2_grpc
from sampan_runtime import cgroups
from sampan_runtime.streaming.server import StreamServer

CIDR = "10.251.7.0/24"


def eventually(check, seconds=60.0, message="condition"):
    """Polls until `check` is true and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        if result := check():
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{message} not met within {seconds} s")
        time.sleep(0.01)


class Node:
    """One runtime daemon, which can be killed and started again."""

    eventually = staticmethod(eventually)

    def __init__(self, folder: Path) -> None:
        self.name = f"cri{uuid.uuid4().hex[:8]}"
        self.state = folder / "state"
        self.run = Path("/run/sampan-test") / self.name
        self.socket = self.run / "runtime.sock"
        self.logs = folder / "logs"
        self.output = folder / "daemon.log"
        self.cgroup_root = f"/sampan-test/{self.name}"
        self.process: subprocess.Popen | None = None
        self.channel: grpc.Channel | None = None
        self.run.mkdir(parents=True)
        evidence.add(self.name, lambda: evidence.tail(self.output, 60))
        subprocess.run(["ip", "netns", "add", self.name], check=True)

    def start(self) -> None:
        arguments = [
            *("--state-dir", self.state, "--run-dir", self.run, "--listen", f"unix://{self.socket}"),
            *("--cgroup-root", self.cgroup_root, "--cluster", "test", "--node", self.name),
        ]
        # Not `ip netns exec`, whose own mount namespace has another /sys without the cgroups.
        command = [
            "nsenter",
            f"--net=/run/netns/{self.name}",
            sys.executable,
            "-m",
            "sampan_runtime",
            *map(str, arguments),
        ]
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        self.channel = grpc.insecure_channel(f"unix://{self.socket}")
        self.runtime = api_pb2_grpc.RuntimeServiceStub(self.channel)
        self.images = api_pb2_grpc.ImageServiceStub(self.channel)

        def serving():
            assert self.process.poll() is None, self.output.read_text()
            try:
                return self.runtime.Version(cri.VersionRequest(), timeout=10)
            except grpc.RpcError:
                # A channel that found no socket backs off for a second; a new one does not.
                self.channel.close()
                self.channel = grpc.insecure_channel(f"unix://{self.socket}")
                self.runtime = api_pb2_grpc.RuntimeServiceStub(self.channel)
                self.images = api_pb2_grpc.ImageServiceStub(self.channel)
                return None

        eventually(serving, message="the daemon serves")

    def set_network(self) -> None:
        config = cri.RuntimeConfig(network_config=cri.NetworkConfig(pod_cidr=CIDR))
        self.runtime.UpdateRuntimeConfig(cri.UpdateRuntimeConfigRequest(runtime_config=config))

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.channel is not None:
            self.channel.close()
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def destroy(self) -> None:
        evidence.remove(self.name)
        self.stop(signal.SIGKILL)
        hierarchies = cgroups.detect()
        cgroups.kill(hierarchies, self.cgroup_root) if self._has_cgroup(hierarchies) else None
        for pid in self._shims():
            os.kill(pid, signal.SIGKILL)
        cgroups.remove(hierarchies, self.cgroup_root)
        subprocess.run(["ip", "netns", "delete", self.name], check=False)
        shutil.rmtree(self.run, ignore_errors=True)
        # Shared with other tests that may run now: they go with the last of them.
        for folder in (self.run.parent, *(f"{root}/sampan-test" for root in hierarchies.roots)):
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def _has_cgroup(self, hierarchies) -> bool:
        return any(os.path.isdir(f"{root}{self.cgroup_root}") for root in hierarchies.roots)

    def _shims(self) -> list[int]:

        records = [json.loads(file.read_text()) for file in self.run.glob("pods/*/shim.json")]
        return [record["pid"] for record in records if os.path.isdir(f"/proc/{record['pid']}")]

    # What most tests do.

    def sandbox(self, name: str = "pod", **linux) -> str:
        return self.runtime.RunPodSandbox(
            cri.RunPodSandboxRequest(config=self.sandbox_config(name, **linux))
        ).pod_sandbox_id

    def sandbox_config(self, name: str = "pod", **linux) -> cri.PodSandboxConfig:
        config = cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=name, uid=name, namespace="default"),
            log_directory=str(self.logs),
            labels={"app": name},
            linux=cri.LinuxPodSandboxConfig(**linux),
        )
        if not config.linux.security_context.HasField("namespace_options"):
            config.linux.security_context.namespace_options.pid = cri.CONTAINER
        return config

    def create(self, sandbox: str, *args: str, name: str = "c", **fields) -> str:
        config = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name=name),
            image=cri.ImageSpec(image="busybox:1.35"),
            command=args,
            log_path=f"{name}.log",
        )
        config.MergeFrom(cri.ContainerConfig(**fields))
        if not config.linux.security_context.HasField("namespace_options"):
            config.linux.security_context.namespace_options.pid = cri.CONTAINER
        request = cri.CreateContainerRequest(pod_sandbox_id=sandbox, config=config)
        return self.runtime.CreateContainer(request).container_id

    def start_container(self, id: str) -> None:
        self.runtime.StartContainer(cri.StartContainerRequest(container_id=id))

    def container(self, sandbox: str, *args: str, name: str = "c", **fields) -> str:
        id = self.create(sandbox, *args, name=name, **fields)
        self.start_container(id)
        return id

    def status(self, id: str) -> cri.ContainerStatus:
        return self.runtime.ContainerStatus(cri.ContainerStatusRequest(container_id=id)).status

    def sandbox_status(self, id: str) -> cri.PodSandboxStatus:
        return self.runtime.PodSandboxStatus(cri.PodSandboxStatusRequest(pod_sandbox_id=id)).status

    def pid(self, id: str) -> int:
        request = cri.ContainerStatusRequest(container_id=id, verbose=True)
        return int(self.runtime.ContainerStatus(request).info["pid"])

    def exited(self, id: str) -> cri.ContainerStatus:
        def ended():
            status = self.status(id)
            return status if status.state == cri.CONTAINER_EXITED else None

        return eventually(ended, message=f"exit of {id[:12]}")

    def exec(self, id: str, *args: str, timeout: int = 60) -> cri.ExecSyncResponse:
        return self.runtime.ExecSync(cri.ExecSyncRequest(container_id=id, cmd=args, timeout=timeout))

    def log(self, name: str = "c") -> str:
        return (self.logs / f"{name}.log").read_text()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("cri"))
    try:
        node.start()
        node.set_network()
        yield node
    finally:
        node.destroy()


@pytest.fixture
def fresh_node(tmp_path):
    """For tests that kill the daemon."""
    node = Node(tmp_path)
    try:
        node.start()
        node.set_network()
        yield node
    finally:
        node.destroy()


@pytest.fixture
async def server():
    """Where exec, attach and port-forward are streamed."""
    server = StreamServer()
    await server.start()
    yield server
    await server.stop()
