"""ConfigMap, Secret and ServiceAccount: what pods are given."""

from sampan_api.fields import Base64, field
from sampan_api.models.core_v1.references import LocalObjectReference, ObjectReference
from sampan_api.models.meta_v1 import ObjectModel


class ConfigMap(ObjectModel):
    """Configuration kept apart from the images that use it."""

    API_VERSION = "v1"

    immutable: bool | None = field(
        4, "When true, the data can never change again; only deleting remains.", pointer=True
    )
    data: dict[str, str] | None = field(2, "Texts by key. Keys are file names when the map is mounted.")
    binaryData: dict[str, Base64] | None = field(3, "Bytes by key, base64 in JSON. No key may also be in `data`.")


class Secret(ObjectModel):
    """Small confidential data, such as passwords and keys."""

    API_VERSION = "v1"

    immutable: bool | None = field(
        5, "When true, the data can never change again; only deleting remains.", pointer=True
    )
    data: dict[str, Base64] | None = field(2, "Bytes by key, base64 in JSON.")
    stringData: dict[str, str] | None = field(
        4, "Texts folded into `data` on write, over what is there; never read back."
    )
    type: str | None = field(3, "Says which keys the data must have. Fixed once created.", go="v1.SecretType")


class ServiceAccount(ObjectModel):
    """An identity for what runs in pods."""

    API_VERSION = "v1"

    secrets: list[ObjectReference] | None = field(
        2,
        "Secrets that pods of this account may use.",
        patch="merge",
        merge_key="name",
        list_type="map",
        map_keys=("name",),
    )
    imagePullSecrets: list[LocalObjectReference] | None = field(
        3, "Registry credentials added to every pod of this account that names none.", list_type="atomic"
    )
    automountServiceAccountToken: bool | None = field(
        4, "False keeps the API token out of this account's pods.", pointer=True
    )
