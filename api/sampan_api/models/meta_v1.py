"""What all groups share: object and list metadata, selectors, delete options, failures, tables."""

from sampan_api.fields import Int32, Int64, Model, Raw, Time, TypedModel, field


class Preconditions(Model):
    """What must still be true for the deletion to happen."""

    uid: str | None = field(1, "UID the object must have.", pointer=True, go="types.UID")
    resourceVersion: str | None = field(2, "Revision the object must have.", pointer=True)


class DeleteOptions(TypedModel):
    """How to delete."""

    API_VERSION = "meta.k8s.io/v1"

    gracePeriodSeconds: Int64 | None = field(
        1, "Time to end by oneself; 0 means at once, absent the object's own.", pointer=True
    )
    preconditions: Preconditions | None = field(2, "What must still be true.")
    orphanDependents: bool | None = field(3, "Historic form of `propagationPolicy: Orphan`.", pointer=True)
    propagationPolicy: str | None = field(
        4, "What becomes of dependents: Orphan, Background or Foreground.", pointer=True, go="v1.DeletionPropagation"
    )
    dryRun: list[str] | None = field(5, "`All` to do everything but delete.", list_type="atomic")
    ignoreStoreReadErrorWithClusterBreakingPotential: bool | None = field(
        6, "Delete even what cannot be read from storage.", pointer=True
    )


class FieldSelectorRequirement(Model):
    """One condition on one field."""

    key: str = field(1, "The field.", required=True, always=True)
    operator: str = field(
        2, "In, NotIn, Exists or DoesNotExist.", required=True, always=True, go="v1.FieldSelectorOperator"
    )
    values: list[str] | None = field(3, "Values for In and NotIn; none otherwise.", list_type="atomic")


class LabelSelectorRequirement(Model):
    """One condition on one label."""

    key: str = field(1, "The label's key.", required=True, always=True)
    operator: str = field(
        2, "In, NotIn, Exists or DoesNotExist.", required=True, always=True, go="v1.LabelSelectorOperator"
    )
    values: list[str] | None = field(3, "Values for In and NotIn; none otherwise.", list_type="atomic")


class LabelSelector(Model):
    """Which objects, by their labels. `{}` selects all, null none."""

    MAP_TYPE = "atomic"

    matchLabels: dict[str, str] | None = field(1, "Labels that must have exactly these values.")
    matchExpressions: list[LabelSelectorRequirement] | None = field(
        2, "Further conditions; all must hold.", list_type="atomic"
    )


class ShardInfo(Model):
    """Which part of a collection a list covers."""

    selector: str = field(1, "The selector the client gave.", required=True, always=True)


class ListMeta(Model):
    """What is known of a list."""

    selfLink: str | None = field(1, "Historic; empty.")
    resourceVersion: str | None = field(2, "Revision up to which the list is complete; a watch may start here.")
    continue_: str | None = field(3, "Token for the next page; empty on the last.", json="continue")
    remainingItemCount: Int64 | None = field(4, "How many items are on later pages, when it is known.", pointer=True)
    shardInfo: ShardInfo | None = field(5, "Which part of the collection this is.")


class ManagedFieldsEntry(Model):
    """Fields that one manager has set."""

    manager: str | None = field(1, "Who.")
    operation: str | None = field(2, "Apply or Update.", go="v1.ManagedFieldsOperationType")
    apiVersion: str | None = field(3, "Version the fields are named in.")
    time: Time | None = field(4, "When the entry last changed.", pointer=True)
    fieldsType: str | None = field(6, "`FieldsV1`.")
    fieldsV1: Raw | None = field(7, "The fields, as a tree.", pointer=True, go="v1.FieldsV1")
    subresource: str | None = field(8, "Subresource written through; empty for the object itself.")


class OwnerReference(Model):
    """An object that this one belongs to and is deleted with."""

    MAP_TYPE = "atomic"

    apiVersion: str = field(5, "Version of the owner, with its group.", required=True, always=True)
    kind: str = field(1, "Kind of the owner.", required=True, always=True)
    name: str = field(3, "Name of the owner.", required=True, always=True)
    uid: str = field(
        4, "UID of the owner: a new one of the same name does not count.", required=True, always=True, go="types.UID"
    )
    controller: bool | None = field(6, "True for the one owner that manages this object.", pointer=True)
    blockOwnerDeletion: bool | None = field(7, "In foreground deletion the owner waits for this object.", pointer=True)


class ObjectMeta(Model):
    """What all objects have in common."""

    name: str | None = field(1, "Unique within kind and namespace; fixed.")
    generateName: str | None = field(2, "Prefix the server makes a name from when there is none.")
    namespace: str | None = field(3, "The scope of the name; empty for cluster-wide kinds.")
    selfLink: str | None = field(4, "Historic; empty.")
    uid: str | None = field(5, "Identity over time and space; set by the server.", go="types.UID")
    resourceVersion: str | None = field(6, "Revision of this content; sent back, it guards against overwriting.")
    generation: Int64 | None = field(7, "Counts changes of what is wanted; set by the server.")
    creationTimestamp: Time | None = field(8, "When the server created it.")
    deletionTimestamp: Time | None = field(
        9, "When it shall be gone; set once deletion has been asked for.", pointer=True
    )
    deletionGracePeriodSeconds: Int64 | None = field(10, "Seconds it was given to end by itself.", pointer=True)
    labels: dict[str, str] | None = field(11, "Short texts to select by.")
    annotations: dict[str, str] | None = field(12, "Texts for tools and people.")
    ownerReferences: list[OwnerReference] | None = field(
        13,
        "Objects it belongs to; it is deleted when none is left.",
        patch="merge",
        merge_key="uid",
        list_type="map",
        map_keys=("uid",),
    )
    finalizers: list[str] | None = field(14, "Who must clean up before it may go.", patch="merge", list_type="set")
    # A pointer, because an empty list is not an absent one: it takes all owners away.
    managedFields: list[ManagedFieldsEntry] | None = field(
        17, "Who set which fields.", pointer=True, list_type="atomic"
    )


class ObjectModel(TypedModel):
    """A message that has a name and labels: whatever can be stored, and what is asked about one of these."""

    metadata: ObjectMeta | None = field(1, "Name, labels and the rest that all objects share.", always=True)


class PartialObjectMetadata(ObjectModel):
    """Only the metadata of an object, whatever its kind."""

    API_VERSION = "meta.k8s.io/v1"


class StatusCause(Model):
    """One of several things that went wrong."""

    reason: str | None = field(1, "One word for programs.", go="v1.CauseType")
    message: str | None = field(2, "A sentence for people.")
    field: str | None = field(3, "The field it is about, e.g. `spec.containers[0].image`.")


class StatusDetails(Model):
    """What a failure was about."""

    name: str | None = field(1, "Name of the object.")
    group: str | None = field(2, "Group of the resource.")
    kind: str | None = field(3, "The resource, or the kind.")
    uid: str | None = field(6, "UID of the object.", go="types.UID")
    causes: list[StatusCause] | None = field(4, "What went wrong, one by one.", list_type="atomic")
    retryAfterSeconds: Int32 | None = field(5, "When to try again.")


class Status(TypedModel):
    """The answer to a request that returns no object."""

    API_VERSION = "v1"

    metadata: ListMeta | None = field(1, "As of a list.", always=True)
    status: str | None = field(2, "Success or Failure.")
    message: str | None = field(3, "A sentence for people.")
    reason: str | None = field(4, "One CamelCase word for programs: why it is so.", go="v1.StatusReason")
    details: StatusDetails | None = field(5, "What it was about.")
    code: Int32 | None = field(6, "HTTP status code.")


class StatusCondition(Model):
    """One observation about an object, in the form of kinds that are older than `Condition`."""

    type: str = field(1, "Which observation this is.", required=True, always=True)
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    lastTransitionTime: Time | None = field(3, "When `status` last changed from one value to another.", always=True)
    reason: str | None = field(4, "One CamelCase word for programs: why it is so.")
    message: str | None = field(5, "A sentence for people.")


class Condition(Model):
    """One observation about an object."""

    type: str = field(1, "Which observation this is.", required=True, always=True)
    status: str = field(2, "True, False or Unknown.", required=True, always=True, go="v1.ConditionStatus")
    observedGeneration: Int64 | None = field(3, "Generation of the spec this was observed at.")
    lastTransitionTime: Time = field(
        4, "When `status` last changed from one value to another.", required=True, always=True
    )
    reason: str = field(5, "One CamelCase word for programs: why it is so.", required=True, always=True)
    message: str = field(6, "A sentence for people.", required=True, always=True)
