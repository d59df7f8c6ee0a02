"""Container: the program, its ports, mounts and resources."""

from typing import ClassVar

from sampan_api.fields import Int32, Model, Quantity, field
from sampan_api.models.core_v1.environment import EnvFromSource, EnvVar
from sampan_api.models.core_v1.probes import Lifecycle, Probe
from sampan_api.models.core_v1.security import SecurityContext


class ContainerPort(Model):
    """A port that a container listens on."""

    name: str | None = field(1, "Name that probes and services may use for it.")
    hostPort: Int32 | None = field(2, "Port of the node that leads here.")
    containerPort: Int32 = field(3, "Port inside the pod.", required=True, always=True)
    protocol: str | None = field(
        4, "Transport protocol; TCP by default.", enum=("SCTP", "TCP", "UDP"), default="TCP", go="v1.Protocol"
    )
    hostIP: str | None = field(5, "Address of the node that `hostPort` is bound to.")


class ResourceClaim(Model):
    """Use of one of the pod's resource claims."""

    name: str = field(1, "The claim, as named in the pod.", required=True, always=True)
    request: str | None = field(2, "One request of that claim; all of them when empty.")


class ResourceRequirements(Model):
    """How much a container needs, and how much it may take."""

    limits: dict[str, Quantity] | None = field(1, "The most it may use, by resource.", go="v1.ResourceList")
    requests: dict[str, Quantity] | None = field(
        2, "What is reserved for it; the limit where absent.", go="v1.ResourceList"
    )
    claims: list[ResourceClaim] | None = field(
        3, "Devices from the pod's resource claims.", list_type="map", map_keys=("name",)
    )


class ContainerResizePolicy(Model):
    """Whether changing a resource restarts the container."""

    resourceName: str = field(1, "The resource.", required=True, always=True, go="v1.ResourceName")
    restartPolicy: str = field(
        2, "NotRequired or RestartContainer.", required=True, always=True, go="v1.ResourceResizeRestartPolicy"
    )


class ContainerRestartRuleOnExitCodes(Model):
    """A set of exit codes."""

    operator: str = field(1, "In or NotIn.", required=True, go="v1.ContainerRestartRuleOnExitCodesOperator")
    values: list[Int32] | None = field(2, "The exit codes.", list_type="set")


class ContainerRestartRule(Model):
    """When this container exits so, do that."""

    action: str = field(1, "What to do.", required=True, go="v1.ContainerRestartRuleAction")
    exitCodes: ContainerRestartRuleOnExitCodes | None = field(2, "The exits that are meant.")


class VolumeMount(Model):
    """Where a volume appears in a container."""

    name: str = field(1, "Which volume of the pod.", required=True, always=True)
    readOnly: bool | None = field(2, "Mount it so that nobody can write to it.")
    recursiveReadOnly: str | None = field(
        7,
        "Whether mounts below are read-only as well: Disabled, IfPossible, Enabled.",
        pointer=True,
        go="v1.RecursiveReadOnlyMode",
    )
    mountPath: str = field(3, "Where in the container.", required=True, always=True)
    subPath: str | None = field(4, "The part of the volume that is mounted; its root by default.")
    mountPropagation: str | None = field(
        5,
        "Whether mounts made later cross between node and container.",
        pointer=True,
        enum=("Bidirectional", "HostToContainer", "None"),
        go="v1.MountPropagationMode",
    )
    subPathExpr: str | None = field(6, "Like `subPath`, with `$(VAR)` of the container's environment.")


class VolumeDevice(Model):
    """Where a block volume appears in a container."""

    name: str = field(1, "Which volume claim of the pod.", required=True, always=True)
    devicePath: str = field(2, "Path of the device in the container.", required=True, always=True)


class Container(Model):
    """One program of a pod, run from one image."""

    name: str = field(1, "Unique within the pod; a DNS label.", required=True, always=True)
    image: str | None = field(2, "Image to run.")
    command: list[str] | None = field(
        3, "Program and first arguments, instead of the image's entrypoint.", list_type="atomic"
    )
    args: list[str] | None = field(4, "Further arguments, instead of the image's command.", list_type="atomic")
    workingDir: str | None = field(5, "Directory to start in, instead of the image's.")
    ports: list[ContainerPort] | None = field(
        6,
        "Ports the program listens on, for people and for names.",
        patch="merge",
        merge_key="containerPort",
        list_type="map",
        map_keys=("containerPort", "protocol"),
    )
    envFrom: list[EnvFromSource] | None = field(
        19, "ConfigMaps and Secrets whose keys become variables; `env` wins.", list_type="atomic"
    )
    env: list[EnvVar] | None = field(
        7, "Environment variables.", patch="merge", merge_key="name", list_type="map", map_keys=("name",)
    )
    resources: ResourceRequirements | None = field(8, "What it needs and what it may take.", always=True)
    resizePolicy: list[ContainerResizePolicy] | None = field(
        23, "Which resources may change without a restart.", list_type="atomic"
    )
    restartPolicy: str | None = field(
        24,
        "For this container alone; Always makes an init container a sidecar.",
        pointer=True,
        go="v1.ContainerRestartPolicy",
    )
    restartPolicyRules: list[ContainerRestartRule] | None = field(
        25, "Exits that are treated otherwise, checked in order.", list_type="atomic"
    )
    volumeMounts: list[VolumeMount] | None = field(
        9, "Volumes it sees, and where.", patch="merge", merge_key="mountPath", list_type="map", map_keys=("mountPath",)
    )
    volumeDevices: list[VolumeDevice] | None = field(
        21,
        "Block devices it sees, and where.",
        patch="merge",
        merge_key="devicePath",
        list_type="map",
        map_keys=("devicePath",),
    )
    livenessProbe: Probe | None = field(10, "Restart the container when this fails.")
    readinessProbe: Probe | None = field(11, "Send no traffic to it while this fails.")
    startupProbe: Probe | None = field(22, "Until this succeeds once, the other probes wait.")
    lifecycle: Lifecycle | None = field(12, "Hooks after the start and before the stop.")
    terminationMessagePath: str | None = field(13, "File whose end is kept as the exit message.")
    terminationMessagePolicy: str | None = field(
        20,
        "Whether the end of the log may stand in for that file.",
        enum=("FallbackToLogsOnError", "File"),
        go="v1.TerminationMessagePolicy",
    )
    imagePullPolicy: str | None = field(
        14,
        "When the image is fetched; Always for `:latest`, else IfNotPresent.",
        enum=("Always", "IfNotPresent", "Never"),
        go="v1.PullPolicy",
    )
    securityContext: SecurityContext | None = field(15, "User, capabilities and confinement.")
    stdin: bool | None = field(16, "Keep standard input open for attaching.")
    stdinOnce: bool | None = field(17, "Close standard input after the first client has gone.")
    tty: bool | None = field(18, "Give it a terminal.")


class EphemeralContainer(Container):
    """A container put into a running pod to look around."""

    EMBEDDED: ClassVar = {Container: 1}

    targetContainerName: str | None = field(2, "Container whose process namespace it joins.")
