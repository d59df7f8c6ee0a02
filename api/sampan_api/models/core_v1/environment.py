"""Environment variables and the places their values come from."""

from typing import ClassVar

from sampan_api.fields import Model, Quantity, field
from sampan_api.models.core_v1.references import LocalObjectReference


class ObjectFieldSelector(Model):
    """A field of the pod itself."""

    MAP_TYPE = "atomic"

    apiVersion: str | None = field(1, "Version of the API, with its group, that the object is written in.")
    fieldPath: str = field(2, "The field, e.g. `metadata.name` or `status.podIP`.", required=True, always=True)


class ResourceFieldSelector(Model):
    """A container, one of its requests or limits, and the unit to tell it in."""

    MAP_TYPE = "atomic"

    containerName: str | None = field(1, "Which container; in environment variables its own by default.")
    resource: str = field(2, "Which one, e.g. `limits.cpu`.", required=True, always=True)
    divisor: Quantity | None = field(3, "Unit in which the amount is printed; 1 by default.", always=True)


class ConfigMapKeySelector(LocalObjectReference):
    """A ConfigMap by name, and the key."""

    MAP_TYPE = "atomic"

    EMBEDDED: ClassVar = {LocalObjectReference: 1}

    key: str = field(2, "The key.", required=True, always=True)
    optional: bool | None = field(3, "Go on without it when it does not exist.", pointer=True)


class SecretKeySelector(LocalObjectReference):
    """A Secret by name, and the key."""

    MAP_TYPE = "atomic"

    EMBEDDED: ClassVar = {LocalObjectReference: 1}

    key: str = field(2, "The key.", required=True, always=True)
    optional: bool | None = field(3, "Go on without it when it does not exist.", pointer=True)


class FileKeySelector(Model):
    """A key of a file of `KEY=VALUE` lines in a volume."""

    MAP_TYPE = "atomic"

    volumeName: str = field(1, "The volume that holds the file.", required=True, always=True)
    path: str = field(2, "The file, relative to the volume.", required=True, always=True)
    key: str = field(3, "The key in it.", required=True, always=True)
    optional: bool | None = field(4, "Go on without it when it does not exist.", pointer=True)


class EnvVarSource(Model):
    """The place an environment variable's value is taken from; exactly one is set."""

    fieldRef: ObjectFieldSelector | None = field(1, "A field of the pod.")
    resourceFieldRef: ResourceFieldSelector | None = field(2, "A request or limit of a container.")
    configMapKeyRef: ConfigMapKeySelector | None = field(3, "A key of a ConfigMap.")
    secretKeyRef: SecretKeySelector | None = field(4, "A key of a Secret.")
    fileKeyRef: FileKeySelector | None = field(5, "A key of a file in an emptyDir volume.")


class EnvVar(Model):
    """One environment variable."""

    name: str = field(1, "Its name.", required=True, always=True)
    value: str | None = field(2, "Its value; `$(OTHER)` stands for a variable defined before.")
    valueFrom: EnvVarSource | None = field(3, "Where the value comes from instead.")


class ConfigMapEnvSource(LocalObjectReference):
    """A ConfigMap whose keys become environment variables."""

    MAP_TYPE = ""
    EMBEDDED: ClassVar = {LocalObjectReference: 1}

    optional: bool | None = field(2, "Go on without it when it does not exist.", pointer=True)


class SecretEnvSource(LocalObjectReference):
    """A Secret whose keys become environment variables."""

    MAP_TYPE = ""
    EMBEDDED: ClassVar = {LocalObjectReference: 1}

    optional: bool | None = field(2, "Go on without it when it does not exist.", pointer=True)


class EnvFromSource(Model):
    """Makes every key of a ConfigMap or Secret an environment variable."""

    prefix: str | None = field(1, "Put before each key.")
    configMapRef: ConfigMapEnvSource | None = field(2, "The ConfigMap.")
    secretRef: SecretEnvSource | None = field(3, "The Secret.")
