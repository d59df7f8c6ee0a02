"""How one object names another."""

from sampan_api.fields import Model, field


class LocalObjectReference(Model):
    """An object of the same namespace, by name."""

    MAP_TYPE = "atomic"

    name: str | None = field(1, "Name of the object.")


class ObjectReference(Model):
    """An object anywhere in the cluster, or a part of one."""

    MAP_TYPE = "atomic"

    kind: str | None = field(1, "Kind of the object.")
    namespace: str | None = field(2, "Its namespace.")
    name: str | None = field(3, "Its name.")
    uid: str | None = field(4, "UID of the object meant.", go="types.UID")
    apiVersion: str | None = field(5, "Version of the API, with its group, that the object is written in.")
    resourceVersion: str | None = field(6, "The version that was meant, if one was.")
    fieldPath: str | None = field(7, "The part of the object that is meant, e.g. `spec.containers{web}`.")


class TypedLocalObjectReference(Model):
    """An object of the same namespace, by group, kind and name."""

    MAP_TYPE = "atomic"

    apiGroup: str | None = field(1, "Group of the kind; empty for the core group.", pointer=True)
    kind: str = field(2, "Kind of the object.", required=True, always=True)
    name: str = field(3, "Name of the object.", required=True, always=True)


class TypedObjectReference(Model):
    """An object by group, kind, name and perhaps another namespace."""

    apiGroup: str | None = field(1, "Group of the kind; empty for the core group.", pointer=True)
    kind: str = field(2, "Kind of the object.", required=True, always=True)
    name: str = field(3, "Name of the object.", required=True, always=True)
    namespace: str | None = field(4, "Namespace of the object when it is not the same one.", pointer=True)


class SecretReference(LocalObjectReference):
    """A Secret anywhere in the cluster."""

    namespace: str | None = field(2, "Its namespace.")
