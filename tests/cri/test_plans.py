import signal
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri
from sampan_runtime.cri import container_plan, sandbox_plan
from sampan_runtime.cri.errors import InvalidArgument, NotFound
from sampan_runtime.images.config import ImageConfig
from sampan_runtime.images.users import User
from sampan_runtime.security import CAPABILITIES, DOCKER_CAPABILITIES

IMAGE = ImageConfig(env=("PATH=/image", "A=image"), entrypoint=("/entry",), cmd=("cmd",), stop_signal="SIGQUIT")
PROFILE = cri.SecurityProfile


def context(**fields):
    return cri.LinuxContainerSecurityContext(**fields)


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ([], [], ("/entry", "cmd")),
        ([], ["x"], ("/entry", "x")),
        (["c"], [], ("c",)),
        (["c"], ["x", "y"], ("c", "x", "y")),
    ],
)
def test_command_and_args_follow_kubernetes_table(command, args, expected):
    assert container_plan.command(cri.ContainerConfig(command=command, args=args), IMAGE) == expected


def test_nothing_to_run_is_an_error():
    with pytest.raises(InvalidArgument):
        container_plan.command(cri.ContainerConfig(), ImageConfig())


def test_the_containers_environment_wins_over_the_images():
    config = cri.ContainerConfig(envs=[cri.KeyValue(key="A", value="own")], tty=True)
    env = container_plan.environment(config, IMAGE, "pod-1", "/root")
    assert env == ("HOSTNAME=pod-1", "HOME=/root", "TERM=xterm", "PATH=/image", "A=own")


def test_capabilities_begin_with_dockers():
    assert set(container_plan.capabilities(context())) == set(DOCKER_CAPABILITIES)


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        (["NET_ADMIN"], ["ALL"], {"NET_ADMIN"}),
        (["CAP_net_admin"], ["KILL"], {*DOCKER_CAPABILITIES, "NET_ADMIN"} - {"KILL"}),
        (["ALL"], ["SYS_ADMIN"], set(CAPABILITIES) - {"SYS_ADMIN"}),
        ([], ["all"], set()),
    ],
)
def test_capabilities_are_added_and_dropped(add, drop, expected):
    capability = cri.Capability(add_capabilities=add, drop_capabilities=drop)
    assert set(container_plan.capabilities(context(capabilities=capability))) == expected


def test_an_unknown_capability_is_refused():
    with pytest.raises(InvalidArgument, match="NOSUCH"):
        container_plan.capabilities(context(capabilities=cri.Capability(add_capabilities=["NOSUCH"])))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "unconfined"),
        ({"seccomp": PROFILE(profile_type=PROFILE.RuntimeDefault)}, "default"),
        ({"seccomp": PROFILE(profile_type=PROFILE.Unconfined)}, "unconfined"),
        ({"seccomp_profile_path": "runtime/default"}, "default"),
        ({"seccomp": PROFILE(profile_type=PROFILE.RuntimeDefault), "privileged": True}, "unconfined"),
    ],
)
def test_seccomp_is_what_cri_says_and_nothing_more(fields, expected):
    assert container_plan.seccomp(context(**fields)) == expected


def test_a_missing_local_seccomp_profile_is_refused(tmp_path):
    profile = PROFILE(profile_type=PROFILE.Localhost, localhost_ref=str(tmp_path / "none.json"))
    with pytest.raises(InvalidArgument):
        container_plan.seccomp(context(seccomp=profile))


def test_privileged_has_no_masks():
    plain = container_plan.security(context(), User(0, 0))
    privileged = container_plan.security(context(privileged=True, no_new_privs=True), User(0, 0))
    assert "/proc/kcore" in plain.masked_paths
    assert "/proc/sys" in plain.read_only_paths
    assert (privileged.masked_paths, privileged.read_only_paths) == ((), ())


def test_mounts_are_ordered_and_own_files_fill_the_gaps(tmp_path):
    (tmp_path / "hosts").touch()
    config = cri.ContainerConfig(
        mounts=[
            cri.Mount(container_path="/data/deep", host_path=str(tmp_path)),
            cri.Mount(container_path="/data", host_path=str(tmp_path), readonly=True),
            cri.Mount(container_path="/etc/hosts", host_path=str(tmp_path / "hosts")),
        ]
    )
    own = [("/etc/hosts", Path("/own/hosts")), ("/etc/hostname", Path("/own/hostname"))]
    planned = container_plan.mounts(config, own)
    assert [mount.target for mount in planned] == ["/data", "/data/deep", "/etc/hostname", "/etc/hosts"]
    assert planned[0].read_only
    assert planned[3].source == str(tmp_path / "hosts")


def test_a_missing_host_path_is_named():
    config = cri.ContainerConfig(mounts=[cri.Mount(container_path="/x", host_path="/no/such/place")])
    with pytest.raises(NotFound, match="/no/such/place"):
        container_plan.mounts(config, [])


@pytest.mark.parametrize("user", [-1, 4294967295, 1 << 40])
def test_a_user_id_out_of_range_never_becomes_root(user):
    """CVE-2024-40635."""
    config = cri.ContainerConfig()
    config.linux.security_context.run_as_user.value = user
    with pytest.raises(InvalidArgument, match="out of range"):
        container_plan.user_of(config, ImageConfig(), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SIGTERM", 15),
        ("term", 15),
        ("9", 9),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("", 0),
        ("nonsense", 0),
        ("999", 0),
    ],
)
def test_stop_signals_are_read_as_images_write_them(text, expected):
    assert container_plan.parse_signal(text) == expected


def test_the_containers_own_stop_signal_wins():
    assert container_plan.stop_signal(cri.ContainerConfig(), IMAGE) == signal.SIGQUIT
    assert container_plan.stop_signal(cri.ContainerConfig(stop_signal=cri.SIGUSR1), IMAGE) == signal.SIGUSR1
    rt = cri.ContainerConfig(stop_signal=cri.SIGRTMINPLUS2)
    assert container_plan.stop_signal(rt, IMAGE) == signal.SIGRTMIN + 2
    assert container_plan.stop_signal(cri.ContainerConfig(), ImageConfig()) == signal.SIGTERM


@pytest.mark.parametrize("log", ["/abs", "../up", "a/../../b"])
def test_a_log_path_cannot_leave_the_pods_directory(log):
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name="c"), image=cri.ImageSpec(image="busybox"), log_path=log
    )
    with pytest.raises(InvalidArgument):
        container_plan.validate(config)


def sandbox(**fields):
    config = cri.PodSandboxConfig(metadata=cri.PodSandboxMetadata(name="p", uid="u", namespace="ns"))
    config.MergeFrom(cri.PodSandboxConfig(**fields))
    return config


def test_a_sandbox_needs_its_metadata():
    with pytest.raises(InvalidArgument):
        sandbox_plan.validate(cri.PodSandboxConfig())
    sandbox_plan.validate(sandbox())


@pytest.mark.parametrize("name", ["kernel.panic", "vm.swappiness", "net.x/../../kernel.panic", "x"])
def test_sysctls_that_would_change_the_machine_are_refused(name):
    with pytest.raises(InvalidArgument):
        sandbox_plan.validate(sandbox(linux=cri.LinuxPodSandboxConfig(sysctls={name: "1"})))


def test_network_sysctls_need_a_network_of_the_pods_own():
    linux = cri.LinuxPodSandboxConfig(sysctls={"net.ipv4.ip_forward": "1"})
    sandbox_plan.validate(sandbox(linux=linux))
    linux.security_context.namespace_options.network = cri.NODE
    with pytest.raises(InvalidArgument):
        sandbox_plan.validate(sandbox(linux=linux))


def test_the_cgroup_is_made_below_the_parent_that_the_agent_names():
    config = sandbox(linux=cri.LinuxPodSandboxConfig(cgroup_parent="/sampan/c/n/kubepods/podu"))
    assert sandbox_plan.cgroup_path(config, "abc", "/root") == "/sampan/c/n/kubepods/podu/abc"
    assert sandbox_plan.cgroup_path(sandbox(), "abc", "/root") == "/root/abc"


def test_a_resolver_on_loopback_is_replaced_by_its_upstream():
    node, upstream = "nameserver 127.0.0.53\nsearch lan\n", "nameserver 192.0.2.1\n"
    assert sandbox_plan.resolv_conf(cri.DNSConfig(), node, upstream) == "nameserver 192.0.2.1\n"
    assert sandbox_plan.resolv_conf(cri.DNSConfig(), "nameserver 192.0.2.9\n", "") == "nameserver 192.0.2.9\n"


def test_the_pods_own_dns_config_is_written_as_given():
    dns = cri.DNSConfig(servers=["10.0.0.10"], searches=["a", "b"], options=["ndots:5"])
    assert sandbox_plan.resolv_conf(dns, "nameserver 1.1.1.1", "") == (
        "nameserver 10.0.0.10\nsearch a b\noptions ndots:5\n"
    )


def test_shared_namespaces_follow_the_options():
    linux = cri.LinuxPodSandboxConfig()
    linux.security_context.namespace_options.pid = cri.CONTAINER
    plan = sandbox_plan.plan("i" * 64, sandbox(linux=linux), "/run/x", "/cg", None, "node")
    assert (plan.share_pid, plan.host_ipc) == (False, False)
    linux.security_context.namespace_options.pid = cri.POD
    assert sandbox_plan.plan("i" * 64, sandbox(linux=linux), "/run/x", "/cg", None, "node").share_pid
