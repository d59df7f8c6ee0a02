"""Security settings of pods and containers."""

from sampan_api.fields import Int64, Model, field


class AppArmorProfile(Model):
    """Which AppArmor profile confines the processes."""

    type: str = field(
        1,
        "Where the profile comes from.",
        required=True,
        always=True,
        enum=("Localhost", "RuntimeDefault", "Unconfined"),
        go="v1.AppArmorProfileType",
    )
    localhostProfile: str | None = field(2, "Name of a profile loaded on the node, for type Localhost.", pointer=True)


class SeccompProfile(Model):
    """Which system calls the processes may make."""

    type: str = field(
        1,
        "Where the profile comes from.",
        required=True,
        always=True,
        enum=("Localhost", "RuntimeDefault", "Unconfined"),
        go="v1.SeccompProfileType",
    )
    localhostProfile: str | None = field(
        2, "File of the profile, below the node's seccomp directory, for type Localhost.", pointer=True
    )


class SELinuxOptions(Model):
    """The SELinux label of the processes."""

    user: str | None = field(1, "User part.")
    role: str | None = field(2, "Role part.")
    type: str | None = field(3, "Type part.")
    level: str | None = field(4, "Level part.")


class WindowsSecurityContextOptions(Model):
    """Security settings that only Windows knows."""

    gmsaCredentialSpecName: str | None = field(1, "Name of the GMSA credential spec.", pointer=True)
    gmsaCredentialSpec: str | None = field(2, "The GMSA credential spec itself.", pointer=True)
    runAsUserName: str | None = field(3, "User that runs the entrypoint.", pointer=True)
    hostProcess: bool | None = field(4, "Run on the host instead of in a container.", pointer=True)


class Sysctl(Model):
    """One kernel parameter."""

    name: str = field(1, "Its name.", required=True, always=True)
    value: str = field(2, "Its value.", required=True, always=True)


class PodSecurityContext(Model):
    """Security settings of a whole pod; containers may override them."""

    seLinuxOptions: SELinuxOptions | None = field(1, "SELinux label of all containers.")
    windowsOptions: WindowsSecurityContextOptions | None = field(8, "Settings for Windows.")
    runAsUser: Int64 | None = field(2, "User id of the containers' processes.", pointer=True)
    runAsGroup: Int64 | None = field(6, "Group id of the containers' processes.", pointer=True)
    runAsNonRoot: bool | None = field(3, "Refuse to start a container as user 0.", pointer=True)
    supplementalGroups: list[Int64] | None = field(4, "Further group ids of the processes.", list_type="atomic")
    supplementalGroupsPolicy: str | None = field(
        12,
        "Whether the image's groups are added (Merge) or not (Strict).",
        pointer=True,
        enum=("Merge", "Strict"),
        go="v1.SupplementalGroupsPolicy",
    )
    fsGroup: Int64 | None = field(
        5, "Group that owns the volumes' files, and that every process belongs to.", pointer=True
    )
    sysctls: list[Sysctl] | None = field(7, "Kernel parameters of the pod's namespaces.", list_type="atomic")
    fsGroupChangePolicy: str | None = field(
        9,
        "Whether ownership is set on every mount or only when the root differs.",
        pointer=True,
        enum=("Always", "OnRootMismatch"),
        go="v1.PodFSGroupChangePolicy",
    )
    seccompProfile: SeccompProfile | None = field(10, "System calls that the containers may make.")
    appArmorProfile: AppArmorProfile | None = field(11, "AppArmor profile of the containers.")
    seLinuxChangePolicy: str | None = field(
        13, "How volumes get the SELinux label.", pointer=True, go="v1.PodSELinuxChangePolicy"
    )


class Capabilities(Model):
    """What is added to, and taken from, the default capabilities."""

    add: list[str] | None = field(1, "Capabilities to add, without `CAP_`.", list_type="atomic", go="[]v1.Capability")
    drop: list[str] | None = field(
        2, "Capabilities to take away; `ALL` takes every one.", list_type="atomic", go="[]v1.Capability"
    )


class SecurityContext(Model):
    """Security settings of one container; what is absent comes from the pod's."""

    capabilities: Capabilities | None = field(1, "Capabilities beyond or below the default ones.")
    privileged: bool | None = field(2, "Nearly the power of root on the node.", pointer=True)
    seLinuxOptions: SELinuxOptions | None = field(3, "SELinux label of the process.")
    windowsOptions: WindowsSecurityContextOptions | None = field(10, "Settings for Windows.")
    runAsUser: Int64 | None = field(4, "User id of the process.", pointer=True)
    runAsGroup: Int64 | None = field(8, "Group id of the process.", pointer=True)
    runAsNonRoot: bool | None = field(5, "Refuse to start as user 0.", pointer=True)
    readOnlyRootFilesystem: bool | None = field(6, "Mount the image read-only.", pointer=True)
    allowPrivilegeEscalation: bool | None = field(
        7, "False sets no_new_privs: nothing gains more rights than its parent.", pointer=True
    )
    procMount: str | None = field(
        9,
        "Whether parts of /proc are hidden (Default) or not (Unmasked).",
        pointer=True,
        enum=("Default", "Unmasked"),
        go="v1.ProcMountType",
    )
    seccompProfile: SeccompProfile | None = field(11, "System calls that the process may make.")
    appArmorProfile: AppArmorProfile | None = field(12, "AppArmor profile of the process.")
