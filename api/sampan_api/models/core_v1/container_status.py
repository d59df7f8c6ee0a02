"""What the node reports of a container."""

from sampan_api.fields import Int32, Int64, Model, Quantity, Time, field
from sampan_api.models.core_v1.container import ResourceRequirements
from sampan_api.models.core_v1.signals import SIGNALS


class ContainerStateWaiting(Model):
    """Not running yet, or not again yet."""

    reason: str | None = field(1, "Why it waits, e.g. `ImagePullBackOff`.")
    message: str | None = field(2, "A sentence for people.")


class ContainerStateRunning(Model):
    """Running."""

    startedAt: Time | None = field(1, "When it was started.", always=True)


class ContainerStateTerminated(Model):
    """Ended."""

    exitCode: Int32 = field(
        1, "Exit code of the process; 128 plus the signal's number when one killed it.", required=True, always=True
    )
    signal: Int32 | None = field(2, "Signal that ended it.")
    reason: str | None = field(3, "Why it ended, e.g. `Completed`, `Error`, `OOMKilled`.")
    message: str | None = field(4, "What it left as its exit message.")
    startedAt: Time | None = field(5, "When it was started.", always=True)
    finishedAt: Time | None = field(6, "When it ended.", always=True)
    containerID: str | None = field(7, "Runtime's id of the container, as `runtime://id`.")


class ContainerState(Model):
    """What a container is doing; at most one is set, none means waiting."""

    waiting: ContainerStateWaiting | None = field(1, "Set while it waits.")
    running: ContainerStateRunning | None = field(2, "Set while it runs.")
    terminated: ContainerStateTerminated | None = field(3, "Set once it has ended.")


class ResourceHealth(Model):
    """Health of one device."""

    resourceID: str = field(1, "The device.", required=True, always=True)
    health: str | None = field(2, "Healthy, Unhealthy or Unknown.", go="v1.ResourceHealthStatus")
    message: str | None = field(6, "A sentence for people.", pointer=True)


class ResourceStatus(Model):
    """Health of the devices of one resource."""

    name: str = field(1, "The resource.", required=True, always=True, go="v1.ResourceName")
    resources: list[ResourceHealth] | None = field(2, "Its devices.", list_type="map", map_keys=("resourceID",))


class LinuxContainerUser(Model):
    """Whom the first process of a container started as."""

    uid: Int64 = field(1, "User id.", required=True, always=True)
    gid: Int64 = field(2, "Group id.", required=True, always=True)
    supplementalGroups: list[Int64] | None = field(3, "Further group ids.", list_type="atomic")


class ContainerUser(Model):
    """Whom the first process of a container started as."""

    linux: LinuxContainerUser | None = field(1, "On Linux.")


class ImageVolumeStatus(Model):
    """What an image volume is made of."""

    imageRef: str = field(1, "The image, with its digest.", required=True)


class VolumeStatus(Model):
    """What is known of a mounted volume."""

    image: ImageVolumeStatus | None = field(1, "For an image volume.")


class VolumeMountStatus(Model):
    """A mount as it was made."""

    name: str = field(1, "The volume.", required=True, always=True)
    mountPath: str = field(2, "Where in the container.", required=True, always=True)
    readOnly: bool | None = field(3, "Mount it so that nobody can write to it.")
    recursiveReadOnly: str | None = field(
        4, "Whether mounts below are read-only as well.", pointer=True, go="v1.RecursiveReadOnlyMode"
    )
    volumeStatus: VolumeStatus | None = field(5, "What is known of the volume.")


class ContainerStatus(Model):
    """How a container is doing."""

    name: str = field(1, "The container.", required=True, always=True)
    state: ContainerState | None = field(2, "What it is doing now.", always=True)
    lastState: ContainerState | None = field(3, "How it ended the time before.", always=True)
    ready: bool = field(4, "Whether it may get traffic.", required=True, always=True)
    restartCount: Int32 = field(5, "How often it was started again.", required=True, always=True)
    image: str = field(6, "Image it runs.", required=True, always=True)
    imageID: str = field(7, "Id of that image, with its digest.", required=True, always=True)
    containerID: str | None = field(8, "Runtime's id of the container, as `runtime://id`.")
    started: bool | None = field(9, "Whether its startup probe has succeeded.", pointer=True)
    allocatedResources: dict[str, Quantity] | None = field(
        10, "What the node has set aside for it.", go="v1.ResourceList"
    )
    resources: ResourceRequirements | None = field(11, "What is in force right now.")
    volumeMounts: list[VolumeMountStatus] | None = field(
        12,
        "Its mounts as they were made.",
        patch="merge",
        merge_key="mountPath",
        list_type="map",
        map_keys=("mountPath",),
    )
    user: ContainerUser | None = field(13, "Whom it started as.")
    allocatedResourcesStatus: list[ResourceStatus] | None = field(
        14, "Health of its devices.", patch="merge", merge_key="name", list_type="map", map_keys=("name",)
    )
    stopSignal: str | None = field(15, "Signal that stops it.", pointer=True, enum=SIGNALS, go="v1.Signal")
