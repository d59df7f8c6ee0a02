"""storage.k8s.io/v1: StorageClass."""

from sampan_api.fields import TypedModel, field
from sampan_api.models.core_v1.placement import TopologySelectorTerm
from sampan_api.models.meta_v1 import ObjectMeta


class StorageClass(TypedModel):
    """A kind of storage that claims can ask for by name."""

    API_VERSION = "storage.k8s.io/v1"

    metadata: ObjectMeta | None = field(1, "Name, labels and the rest that all objects share.", always=True)
    provisioner: str = field(2, "Who makes volumes of this class.", required=True, always=True)
    parameters: dict[str, str] | None = field(3, "Parameters for the provisioner.")
    reclaimPolicy: str | None = field(
        4,
        "What becomes of its volumes when their claim is deleted; Delete by default.",
        pointer=True,
        enum=(
            "Delete",
            "Recycle",
            "Retain",
        ),
        go="v1.PersistentVolumeReclaimPolicy",
    )
    mountOptions: list[str] | None = field(5, "Mount options of its volumes; not checked.", list_type="atomic")
    allowVolumeExpansion: bool | None = field(6, "Claims may be enlarged.", pointer=True)
    volumeBindingMode: str | None = field(
        7,
        "Immediate, or WaitForFirstConsumer: when a pod needs it.",
        pointer=True,
        enum=(
            "Immediate",
            "WaitForFirstConsumer",
        ),
        go="v1.VolumeBindingMode",
    )
    allowedTopologies: list[TopologySelectorTerm] | None = field(
        8, "Where its volumes may be made.", list_type="atomic"
    )
