"""Event in the core group; `events.k8s.io` shows the same objects in another shape."""

from sampan_api.fields import Int32, MicroTime, Model, Time, TypedModel, field
from sampan_api.models.core_v1.references import ObjectReference
from sampan_api.models.meta_v1 import ObjectMeta


class EventSource(Model):
    """The component an event comes from."""

    component: str | None = field(1, "Its name.")
    host: str | None = field(2, "The node it runs on.")


class EventSeries(Model):
    """Repeats of one event, counted instead of stored."""

    count: Int32 | None = field(1, "Number of occurrences so far.")
    lastObservedTime: MicroTime | None = field(2, "Time of the latest occurrence.", always=True)


class Event(TypedModel):
    """A note that something happened to an object."""

    API_VERSION = "v1"

    metadata: ObjectMeta = field(1, "Name and namespace of the event itself.", required=True, always=True)
    involvedObject: ObjectReference = field(2, "The object this is about.", required=True, always=True)
    reason: str | None = field(3, "Short CamelCase word for why; tools group by it.")
    message: str | None = field(4, "What happened, for people.")
    source: EventSource | None = field(5, "Who noticed.", always=True)
    firstTimestamp: Time | None = field(6, "When it was first seen.", always=True)
    lastTimestamp: Time | None = field(7, "When it was last seen.", always=True)
    count: Int32 | None = field(8, "How often it was seen.")
    type: str | None = field(9, "Normal or Warning.")
    eventTime: MicroTime | None = field(
        10, "When it happened, to the microsecond; new-style recorders set it.", always=True
    )
    series: EventSeries | None = field(11, "The run of repeats this event stands for.")
    action: str | None = field(12, "What was done about it.")
    related: ObjectReference | None = field(13, "A second object that took part.")
    reportingComponent: str | None = field(14, "Name of the controller that reports.", always=True)
    reportingInstance: str | None = field(15, "Which instance of that controller.", always=True)
