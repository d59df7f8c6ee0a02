"""The verbs without a kernel: a daemon in this process, and shims that only pretend."""

import asyncio
import json
import signal
import time
from ipaddress import IPv4Network

import pytest
from cri_api.v1 import api_pb2 as cri
from sampan_runtime.cri import container_verbs, recovery, sandbox_verbs
from sampan_runtime.cri.daemon import AlreadyRunning, Daemon
from sampan_runtime.cri.errors import AlreadyExists, CriError, FailedPrecondition, NotFound, Unavailable
from sampan_runtime.errors import ShimGone, StepFailed
from sampan_runtime.images.reference import parse
from sampan_runtime.ipam import AddressPool
from sampan_runtime.settings import Settings
from sampan_runtime.spec import ContainerExit


class PretendShim:
    """The seam of `sampan_runtime.shim.client.Shim`. A container called "deaf" ignores all but SIGKILL."""

    def __init__(self, spec):
        self.id, self.pid, self.netns_path = spec.id, 1, "/proc/1/ns/net"
        self.closed = asyncio.get_running_loop().create_future()
        self.queue = asyncio.Queue()
        self.containers = {}
        self.signals = []
        self.committed = False

    async def commit(self):
        self.committed = True

    async def create_container(self, spec):
        self.containers[spec.id] = spec
        return 100

    async def start_container(self, id):
        if self.containers[id].args[0] == "missing":
            raise StepFailed("exec missing", 2)
        if self.containers[id].args[0] == "short":
            self.end(id, 0)
        return 100

    async def kill(self, id, number):
        self.signals.append(int(number))
        if number == signal.SIGKILL or self.containers[id].args[0] != "deaf":
            self.end(id, 0, number)

    def end(self, id, code, number=0):
        self.queue.put_nowait(ContainerExit(id, code, int(number), False, time.time_ns()))

    async def remove_container(self, id):
        self.containers.pop(id, None)

    async def stop(self):
        self.die()

    def die(self):
        if not self.closed.done():
            self.closed.set_result(None)
            self.queue.put_nowait(None)

    @property
    async def events(self):
        while (event := await self.queue.get()) is not None:
            yield event


class PretendZygote:
    pid = 1

    def __init__(self):
        self.closed = asyncio.get_running_loop().create_future()
        self.shims = []
        self.broken = False

    async def create_sandbox(self, spec):
        if self.broken:
            raise StepFailed("make the veth pair", 1)
        self.shims.append(PretendShim(spec))
        return self.shims[-1]


@pytest.fixture
async def daemon(tmp_path):
    settings = Settings(tmp_path / "state", tmp_path / "run", "unix:///none", "/sampan-none", "c", "n")
    daemon = Daemon(settings, PretendZygote())
    daemon.pool = AddressPool(settings.state_dir / "ipam", IPv4Network("10.9.8.0/24"))
    config = json.dumps({"config": {"StopSignal": "SIGQUIT"}, "rootfs": {"diff_ids": []}}).encode()
    manifest = {"config": {"digest": daemon.images.put_bytes(config), "size": len(config)}, "layers": []}
    daemon.images.add(daemon.images.put_bytes(json.dumps(manifest).encode()), [parse("app")])
    yield daemon
    await daemon.cancel_tasks()
    daemon.close()


def sandbox_config(name="p"):
    metadata = cri.PodSandboxMetadata(name=name, uid=name, namespace="ns")
    return cri.PodSandboxConfig(metadata=metadata)


async def run_pod(daemon, name="p"):
    request = cri.RunPodSandboxRequest(config=sandbox_config(name))
    return (await sandbox_verbs.run_pod_sandbox(daemon, request)).pod_sandbox_id


async def create(daemon, pod, command="sleep", name="c"):
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=name), image=cri.ImageSpec(image="app"), command=[command]
    )
    request = cri.CreateContainerRequest(pod_sandbox_id=pod, config=config)
    return (await container_verbs.create_container(daemon, request)).container_id


async def start(daemon, id):
    await container_verbs.start_container(daemon, cri.StartContainerRequest(container_id=id))


async def stop(daemon, id, timeout=5):
    await container_verbs.stop_container(daemon, cri.StopContainerRequest(container_id=id, timeout=timeout))


async def status(daemon, id):
    request = cri.ContainerStatusRequest(container_id=id)
    return (await container_verbs.container_status(daemon, request)).status


async def test_a_sandbox_is_committed_only_after_its_record_is_complete(daemon):
    pod = await run_pod(daemon)
    assert len(pod) == 64
    assert daemon._zygote.shims[0].committed
    assert json.loads((daemon.records.sandbox_dir(pod) / "state.json").read_text()) == {"state": "ready"}
    assert daemon.records.sandbox(pod).address == "10.9.8.2"


async def test_a_sandbox_that_cannot_be_made_leaves_nothing(daemon):
    daemon._zygote.broken = True
    with pytest.raises(StepFailed):
        await run_pod(daemon)
    assert daemon.records.sandboxes == {}
    assert list((daemon.settings.state_dir / "sandboxes").iterdir()) == []
    assert list((daemon.run_dir / "pods").iterdir()) == []
    assert (daemon.settings.state_dir / "ipam/10.9.8.2").read_text() == ""


async def test_without_a_network_there_are_no_pods(daemon):
    daemon.pool = None
    with pytest.raises(Unavailable, match="network"):
        await run_pod(daemon)


async def test_the_images_stop_signal_is_sent_first(daemon):
    id = await create(daemon, await run_pod(daemon))
    await start(daemon, id)
    await stop(daemon, id)
    assert daemon._zygote.shims[0].signals == [signal.SIGQUIT]
    assert (await status(daemon, id)).exit_code == 128 + signal.SIGQUIT


async def test_who_does_not_listen_is_killed_when_the_time_is_over(daemon):
    id = await create(daemon, await run_pod(daemon), "deaf")
    await start(daemon, id)
    await container_verbs.stop(daemon, daemon.records.container(id), 0.05)
    assert daemon._zygote.shims[0].signals == [signal.SIGQUIT, signal.SIGKILL]
    assert (await status(daemon, id)).exit_code == 137


async def test_no_time_means_kill_at_once(daemon):
    id = await create(daemon, await run_pod(daemon))
    await start(daemon, id)
    await stop(daemon, id, timeout=0)
    assert daemon._zygote.shims[0].signals == [signal.SIGKILL]


async def test_a_failed_start_is_an_exit_with_its_reason(daemon):
    id = await create(daemon, await run_pod(daemon), "missing")
    with pytest.raises(CriError, match='exec: "missing": executable file not found'):
        await start(daemon, id)
    found = await status(daemon, id)
    assert (found.state, found.exit_code, found.reason) == (cri.CONTAINER_EXITED, 128, "StartError")


async def test_even_the_shortest_life_is_told_in_order(daemon):
    kinds = []
    pod = await run_pod(daemon)

    async def follow():
        async for event in daemon.events.follow():
            kinds.append(event.container_event_type)
            if event.container_event_type == cri.CONTAINER_STOPPED_EVENT:
                return

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    id = await create(daemon, pod, "short")
    await start(daemon, id)
    await asyncio.wait_for(following, 60)
    assert kinds == [cri.CONTAINER_CREATED_EVENT, cri.CONTAINER_STARTED_EVENT, cri.CONTAINER_STOPPED_EVENT]
    assert (await status(daemon, id)).reason == "Completed"


async def test_the_death_of_a_shim_is_the_end_of_its_containers(daemon):
    pod = await run_pod(daemon)
    id = await create(daemon, pod)
    await start(daemon, id)
    daemon._zygote.shims[0].die()
    async with asyncio.timeout(60):
        await daemon.records.container(id).exited.wait()
    found = await status(daemon, id)
    assert (found.exit_code, found.reason) == (255, "ContainerStatusUnknown")
    with pytest.raises(FailedPrecondition):
        await create(daemon, pod, name="another")


async def test_stopping_a_pod_gives_its_containers_true_exit_codes(daemon):
    pod = await run_pod(daemon)
    id = await create(daemon, pod, "deaf")
    await start(daemon, id)
    await sandbox_verbs.stop_pod_sandbox(daemon, cri.StopPodSandboxRequest(pod_sandbox_id=pod))
    assert (await status(daemon, id)).exit_code == 137


async def test_removal_takes_the_containers_along_and_frees_the_address(daemon):
    pod = await run_pod(daemon)
    id = await create(daemon, pod)
    for _ in range(2):
        await sandbox_verbs.remove_pod_sandbox(daemon, cri.RemovePodSandboxRequest(pod_sandbox_id=pod))
    with pytest.raises(NotFound):
        await status(daemon, id)
    assert (daemon.settings.state_dir / "ipam/10.9.8.2").read_text() == ""
    assert list((daemon.settings.state_dir / "containers").iterdir()) == []


async def test_names_are_reserved(daemon):
    pod = await run_pod(daemon)
    await create(daemon, pod)
    with pytest.raises(AlreadyExists):
        await create(daemon, pod)
    with pytest.raises(AlreadyExists):
        await run_pod(daemon)


async def test_ids_may_be_shortened(daemon):
    pod = await run_pod(daemon)
    assert daemon.records.sandbox(pod[:12]).id == pod
    with pytest.raises(NotFound):
        daemon.records.sandbox("0" * 12)


async def test_records_are_read_back_as_they_were(daemon):
    pod = await run_pod(daemon)
    id = await create(daemon, pod)
    before = daemon.records.containers[id], daemon.records.sandboxes[pod]
    daemon.records.containers, daemon.records.sandboxes = {}, {}
    assert daemon.records.load() == {}
    after = daemon.records.containers[id], daemon.records.sandboxes[pod]
    for name in ("config", "cgroup", "user", "env", "cwd", "layers", "state", "stop_signal", "image_ref"):
        assert getattr(after[0], name) == getattr(before[0], name), name
    for name in ("config", "cgroup", "address", "boot_id", "state"):
        assert getattr(after[1], name) == getattr(before[1], name), name


async def test_recovery_writes_off_what_does_not_answer(daemon):
    pod = await run_pod(daemon)
    id = await create(daemon, pod)
    await start(daemon, id)
    await daemon.cancel_tasks()
    daemon.records.containers, daemon.records.sandboxes = {}, {}
    await recovery.recover(daemon)
    found = await status(daemon, id)
    assert (found.state, found.exit_code) == (cri.CONTAINER_EXITED, 255)


async def test_a_damaged_record_is_destroyed_and_the_rest_is_kept(daemon):
    good, bad = await run_pod(daemon, "good"), await run_pod(daemon, "bad")
    (daemon.records.sandbox_dir(bad) / "config.json").write_text('{"half')
    daemon.records.sandboxes = {}
    await recovery.recover(daemon)
    assert list(daemon.records.sandboxes) == [good]
    assert not daemon.records.sandbox_dir(bad).exists()


async def test_one_daemon_for_one_state_directory(daemon):
    with pytest.raises(AlreadyRunning):
        Daemon(daemon.settings)


async def test_a_zygote_that_died_unnoticed_is_replaced(daemon, monkeypatch):
    dead, living = daemon._zygote, PretendZygote()

    async def gone(spec):
        dead.closed.set_result(None)
        raise ShimGone("connection closed")

    dead.create_sandbox = gone
    dead.stop = PretendShim.commit.__get__(dead)

    class Factory:
        @staticmethod
        async def start(run_dir):
            return living

    monkeypatch.setattr("sampan_runtime.cri.daemon.Zygote", Factory)
    await run_pod(daemon)
    assert len(living.shims) == 1
