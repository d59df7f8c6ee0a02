"""What the CRI daemon asks of the zygote and the shims, as plain values that travel as JSON.

The daemon (`cri/`) turns CRI messages into these; `shim/` turns these into system calls. Paths are absolute in
the daemon's mount namespace. Durations are seconds, memory is bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cgroup:
    """Limits of one cgroup; 0 means not limited. `path` is relative to the root of every hierarchy."""

    path: str
    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    cpuset_cpus: str = ""
    memory_limit: int = 0
    pids_limit: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """The pod's interface: a veth whose host end joins `bridge`. `address` is "10.244.1.7/24"."""

    bridge: str
    host_interface: str
    address: str
    gateway: str
    mtu: int = 1500


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """One pod sandbox. `network` None means the node's own network namespace (hostNetwork)."""

    id: str
    directory: str
    hostname: str
    cgroup: Cgroup
    network: Network | None
    share_pid: bool = False
    host_ipc: bool = False
    sysctls: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind mount from the host, or a tmpfs when `source` is "" (then `options` is its data string)."""

    target: str
    source: str = ""
    read_only: bool = False
    propagation: str = "private"
    recursive_read_only: bool = False
    options: str = ""


@dataclass(frozen=True, slots=True)
class Security:
    """Capabilities are names without CAP_. `seccomp` is "default", "unconfined" or the path of an OCI JSON profile."""

    privileged: bool = False
    capabilities: tuple[str, ...] = ()
    no_new_privileges: bool = False
    seccomp: str = "default"
    read_only_rootfs: bool = False
    masked_paths: tuple[str, ...] = ()
    read_only_paths: tuple[str, ...] = ()
    uid: int = 0
    gid: int = 0
    supplemental_gids: tuple[int, ...] = ()
    umask: int = 0o022


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container: `lower` are the image's layers, topmost first; `upper` and `work` its writable overlay."""

    id: str
    directory: str
    lower: tuple[str, ...]
    upper: str
    work: str
    args: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str
    cgroup: Cgroup
    security: Security
    mounts: tuple[Mount, ...] = ()
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    oom_score_adj: int = 0
    pid_namespace: str = "container"
    """"container", "pod" (the sandbox's shared one), "node", or the id of a container whose namespace it joins."""


@dataclass(frozen=True, slots=True)
class ExecSpec:
    args: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str
    tty: bool = False


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """What the kernel said of a container's init. `signal` is 0 when it exited by itself."""

    id: str
    exit_code: int
    signal: int
    oom_killed: bool
    finished_at: int
    """Unix nanoseconds."""
