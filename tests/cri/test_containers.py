"""Real containers through the CRI socket."""

import contextlib
import itertools
import os
import threading

import grpc
import pytest
from cri_api.v1 import api_pb2 as cri

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def pod(node):
    return node.sandbox("shared")


def code_of(call, *arguments):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments)
    return caught.value.code()


def test_status_says_ready_once_the_pod_cidr_is_known(node):
    conditions = node.runtime.Status(cri.StatusRequest()).status.conditions
    assert {condition.type: condition.status for condition in conditions} == {
        "RuntimeReady": True,
        "NetworkReady": True,
    }


def test_a_container_runs_and_its_end_is_reported(node, pod):
    id = node.container(pod, "sh", "-c", "echo hello; exit 3", name="ends")
    status = node.exited(id)
    assert (status.exit_code, status.reason) == (3, "Error")
    assert status.created_at <= status.started_at <= status.finished_at
    assert node.log("ends").split(" ", 1)[1].startswith("stdout F hello")


def test_success_is_completed(node, pod):
    status = node.exited(node.container(pod, "true", name="ok"))
    assert (status.exit_code, status.reason) == (0, "Completed")


def test_the_image_is_told_by_reference_and_id(node, pod):
    status = node.status(node.container(pod, "true", name="image"))
    assert status.image_ref.startswith("docker.io/library/busybox@sha256:")
    assert status.image_id.startswith("sha256:")
    assert status.image.image == "docker.io/library/busybox:1.35"


def test_exec_sync_returns_output_and_code(node, pod):
    id = node.container(pod, "sleep", "100", name="exec")
    done = node.exec(id, "sh", "-c", "echo out; echo err >&2; exit 4")
    assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\n", 4)


def test_exec_sync_keeps_its_time_limit(node, pod):
    id = node.container(pod, "sleep", "100", name="limit")
    request = cri.ExecSyncRequest(container_id=id, cmd=["sleep", "50"], timeout=1)
    assert code_of(node.runtime.ExecSync, request) == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_program_that_does_not_exist_fails_the_start(node, pod):
    id = node.create(pod, "/no/such/program", name="missing")
    with pytest.raises(grpc.RpcError, match="no/such/program"):
        node.start_container(id)
    status = node.exited(id)
    assert (status.exit_code, status.reason) == (128, "StartError")


def test_stop_sends_the_signal_first_and_kills_after_the_time(node, pod):
    polite = node.container(
        pod, "sh", "-c", "trap 'exit 9' TERM; echo set; while :; do sleep 0.05; done", name="polite"
    )
    node.eventually(lambda: "set" in node.log("polite"), message="the trap is set")
    node.runtime.StopContainer(cri.StopContainerRequest(container_id=polite, timeout=60))
    assert node.status(polite).exit_code == 9
    deaf = node.container(pod, "sh", "-c", "trap '' TERM; echo set; while :; do sleep 0.05; done", name="deaf")
    node.eventually(lambda: "set" in node.log("deaf"), message="the trap is set")
    node.runtime.StopContainer(cri.StopContainerRequest(container_id=deaf, timeout=1))
    assert node.status(deaf).exit_code == 137


def test_stop_and_remove_are_idempotent(node, pod):
    id = node.container(pod, "sleep", "100", name="twice")
    for _ in range(2):
        node.runtime.StopContainer(cri.StopContainerRequest(container_id=id, timeout=0))
    for _ in range(2):
        node.runtime.RemoveContainer(cri.RemoveContainerRequest(container_id=id))
    assert code_of(node.status, id) == grpc.StatusCode.NOT_FOUND
    assert not (node.state / "containers" / id).exists()


def test_a_running_container_can_be_removed(node, pod):
    id = node.container(pod, "sleep", "100", name="running")
    pid = node.pid(id)
    node.runtime.RemoveContainer(cri.RemoveContainerRequest(container_id=id))
    assert not os.path.exists(f"/proc/{pid}")


def test_states_follow_the_life_of_a_container(node, pod):
    id = node.create(pod, "sleep", "100", name="states")
    assert node.status(id).state == cri.CONTAINER_CREATED
    assert code_of(node.exec, id, "true") == grpc.StatusCode.FAILED_PRECONDITION
    node.start_container(id)
    assert node.status(id).state == cri.CONTAINER_RUNNING
    assert code_of(node.start_container, id) == grpc.StatusCode.FAILED_PRECONDITION
    node.runtime.StopContainer(cri.StopContainerRequest(container_id=id, timeout=0))
    assert node.status(id).state == cri.CONTAINER_EXITED


def test_errors_have_their_codes(node, pod):
    assert code_of(node.status, "f" * 64) == grpc.StatusCode.NOT_FOUND
    assert code_of(node.create, "f" * 64, "true") == grpc.StatusCode.NOT_FOUND
    no_image = {"image": cri.ImageSpec(image="nosuch:1")}
    assert code_of(lambda: node.create(pod, "true", name="x", **no_image)) == grpc.StatusCode.NOT_FOUND
    node.create(pod, "true", name="one")
    assert code_of(lambda: node.create(pod, "true", name="one")) == grpc.StatusCode.ALREADY_EXISTS
    assert code_of(lambda: node.sandbox("shared")) == grpc.StatusCode.ALREADY_EXISTS


def test_lists_are_filtered(node, pod):
    id = node.create(pod, "true", name="filtered", labels={"tier": "web"})

    def found(**fields):
        request = cri.ListContainersRequest(filter=cri.ContainerFilter(**fields))
        return [container.id for container in node.runtime.ListContainers(request).containers]

    assert found(id=id) == [id]
    assert found(label_selector={"tier": "web"}) == [id]
    assert id in found(pod_sandbox_id=pod)
    assert found(label_selector={"tier": "web"}, state=cri.ContainerStateValue(state=cri.CONTAINER_RUNNING)) == []


def test_environment_directory_and_user_reach_the_process(node, pod):
    linux = cri.LinuxContainerConfig()
    linux.security_context.run_as_user.value = 1234
    linux.security_context.run_as_group.value = 2345
    linux.security_context.supplemental_groups.extend([77])
    id = node.container(
        pod,
        *("sh", "-c", "id -u; id -g; id -G; pwd; echo $COLOUR"),
        name="user",
        working_dir="/tmp",
        envs=[cri.KeyValue(key="COLOUR", value="blue")],
        linux=linux,
    )
    node.exited(id)
    lines = [line.split(" ", 3)[3] for line in node.log("user").splitlines()]
    assert lines[:2] == ["1234", "2345"]
    assert set(lines[2].split()) == {"2345", "77"}
    assert lines[3:] == ["/tmp", "blue"]


def test_a_host_path_is_mounted(node, pod, tmp_path):
    (tmp_path / "f").write_text("from the host")
    mounts = [cri.Mount(container_path="/data", host_path=str(tmp_path), readonly=True)]
    id = node.container(pod, "sh", "-c", "cat /data/f; touch /data/g", name="mount", mounts=mounts)
    assert node.exited(id).exit_code == 1
    assert "from the host" in node.log("mount")


def test_hostname_and_resolver_come_from_the_sandbox(node):
    config = node.sandbox_config("named")
    config.hostname = "alpha"
    config.dns_config.servers.append("192.0.2.53")
    pod = node.runtime.RunPodSandbox(cri.RunPodSandboxRequest(config=config)).pod_sandbox_id
    id = node.container(pod, "sh", "-c", "hostname; cat /etc/hostname /etc/resolv.conf /etc/hosts", name="names")
    node.exited(id)
    log = node.log("names")
    assert log.count("F alpha") == 2
    assert "nameserver 192.0.2.53" in log
    assert f"{node.sandbox_status(pod).network.ip}\talpha" in log


def test_two_containers_of_a_pod_share_its_network_and_two_pods_reach_each_other(node):
    first, second = node.sandbox("first"), node.sandbox("second")
    server = ("sh", "-c", "while :; do echo served | nc -l -p 8080; done")
    node.container(first, *server, name="server")
    client = node.container(first, "sleep", "100", name="client")
    other = node.container(second, "sleep", "100", name="other")
    address = node.sandbox_status(first).network.ip
    assert address.startswith("10.251.7.")

    def fetched(id, host):
        script = f"until said=$(nc -w 30 {host} 8080 </dev/null) && [ $said ]; do sleep 0.1; done; echo $said"
        return node.exec(id, "sh", "-c", script).stdout

    assert fetched(client, "127.0.0.1") == b"served\n"
    assert fetched(other, address) == b"served\n"


def test_memory_over_the_limit_is_oom_killed(node, pod):
    linux = cri.LinuxContainerConfig(resources=cri.LinuxContainerResources(memory_limit_in_bytes=16 << 20))
    id = node.container(pod, "sh", "-c", "tail /dev/zero", name="hog", linux=linux)
    status = node.exited(id)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


def test_statistics_count(node, pod):
    id = node.container(pod, "sh", "-c", "dd if=/dev/zero of=/f bs=64k count=16; sleep 100", name="stats")
    request = cri.ContainerStatsRequest(container_id=id)
    stats = node.runtime.ContainerStats(request).stats
    assert stats.attributes.metadata.name == "stats"
    assert stats.cpu.usage_core_nano_seconds.value > 0
    assert stats.memory.working_set_bytes.value > 0
    listed = node.runtime.ListContainerStats(cri.ListContainerStatsRequest()).stats
    assert id in [each.attributes.id for each in listed]
    sandbox = node.runtime.PodSandboxStats(cri.PodSandboxStatsRequest(pod_sandbox_id=pod)).stats
    assert sandbox.linux.process.process_count.value > 0


def test_resources_are_updated_in_place(node, pod):
    id = node.container(pod, "sleep", "100", name="resized")
    resources = cri.LinuxContainerResources(memory_limit_in_bytes=64 << 20)
    node.runtime.UpdateContainerResources(cri.UpdateContainerResourcesRequest(container_id=id, linux=resources))
    assert node.status(id).resources.linux.memory_limit_in_bytes == 64 << 20
    stats = node.runtime.ContainerStats(cri.ContainerStatsRequest(container_id=id)).stats
    assert 0 < stats.memory.available_bytes.value <= 64 << 20


def test_memory_may_grow_and_shrink_again_and_what_was_noted_is_found_again(node, pod):
    linux = cri.LinuxContainerConfig(resources=cri.LinuxContainerResources(memory_limit_in_bytes=32 << 20))
    id = node.container(pod, "sleep", "100", name="grows", linux=linux, annotations={"mine": "32"})
    for mib in (96, 48):
        resources = cri.LinuxContainerResources(memory_limit_in_bytes=mib << 20)
        request = cri.UpdateContainerResourcesRequest(container_id=id, linux=resources, annotations={"mine": str(mib)})
        node.runtime.UpdateContainerResources(request)
        stats = node.runtime.ContainerStats(cri.ContainerStatsRequest(container_id=id)).stats
        assert (mib - 8) << 20 < stats.memory.available_bytes.value <= mib << 20
        assert node.status(id).annotations["mine"] == str(mib)


def test_a_container_may_join_the_processes_of_another(node, pod):
    target = node.container(pod, "sleep", "86397", name="target")
    joins = cri.NamespaceOption(pid=cri.TARGET, target_id=target)
    security = cri.LinuxContainerSecurityContext(namespace_options=joins)
    looks = node.create(
        pod,
        *("cat", "/proc/1/cmdline"),
        name="looks",
        linux=cri.LinuxContainerConfig(security_context=security),
    )
    node.start_container(looks)
    assert node.exited(looks).exit_code == 0
    assert "sleep\0" in node.log("looks")
    assert node.status(target).state == cri.CONTAINER_RUNNING


def test_events_tell_the_whole_life(node, pod):
    sandbox = node.sandbox("watched")
    stream = node.runtime.GetContainerEvents(cri.GetEventsRequest())
    told = []

    def follow():
        with contextlib.suppress(grpc.RpcError):
            for event in stream:
                told.append(event)

    following = threading.Thread(target=follow)
    following.start()
    numbers = itertools.count()
    # The stream is open when it tells of one of these.
    node.eventually(lambda: node.create(sandbox, "true", name=f"opens{next(numbers)}") and told, message="it is open")
    id = node.container(sandbox, "true", name="watched")
    node.exited(id)
    node.runtime.RemoveContainer(cri.RemoveContainerRequest(container_id=id))

    def kinds():
        return [event.container_event_type for event in told if event.container_id == id]

    node.eventually(lambda: cri.CONTAINER_DELETED_EVENT in kinds(), message="the end is told")
    stream.cancel()
    following.join()
    expected = [cri.CONTAINER_CREATED_EVENT, cri.CONTAINER_STARTED_EVENT]
    assert kinds() == [*expected, cri.CONTAINER_STOPPED_EVENT, cri.CONTAINER_DELETED_EVENT]


def test_a_removed_pod_leaves_nothing(node):
    pod = node.sandbox("leaves")
    id = node.container(pod, "sleep", "100", name="leaves")
    pid = node.pid(id)
    address = node.sandbox_status(pod).network.ip
    for _ in range(2):
        node.runtime.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=pod))
    assert node.sandbox_status(pod).state == cri.SANDBOX_NOTREADY
    assert node.status(id).exit_code == 137
    for _ in range(2):
        node.runtime.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=pod))
    assert not os.path.exists(f"/proc/{pid}")
    assert not (node.state / "sandboxes" / pod).exists()
    assert not (node.state / "containers" / id).exists()
    assert (node.state / "ipam" / address).read_text() == ""
    assert list(node.run.glob(f"pods/{pod[:16]}")) == []
    assert code_of(node.sandbox_status, pod) == grpc.StatusCode.NOT_FOUND


def test_the_built_in_image_is_there_and_stays(node):
    image = node.images.ImageStatus(cri.ImageStatusRequest(image=cri.ImageSpec(image="busybox:latest"))).image
    assert image.pinned
    assert "docker.io/library/busybox:1.35" in image.repo_tags
    pulled = node.images.PullImage(cri.PullImageRequest(image=cri.ImageSpec(image="busybox:1.35")))
    assert pulled.image_ref == image.id
    remove = cri.RemoveImageRequest(image=cri.ImageSpec(image=image.id))
    assert code_of(node.images.RemoveImage, remove) == grpc.StatusCode.FAILED_PRECONDITION
    assert node.images.ImageFsInfo(cri.ImageFsInfoRequest()).image_filesystems[0].used_bytes.value > 1_000_000


def test_a_pull_without_a_registry_says_so(node):
    request = cri.PullImageRequest(image=cri.ImageSpec(image="localhost:1/app:v1"))
    with pytest.raises(grpc.RpcError, match="refused") as caught:
        node.images.PullImage(request)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
