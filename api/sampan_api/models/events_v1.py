"""events.k8s.io/v1: Event, another view of the core group's."""

from sampan_api.fields import Int32, MicroTime, Model, Time, TypedModel, field
from sampan_api.models.core_v1.event import EventSource
from sampan_api.models.core_v1.references import ObjectReference
from sampan_api.models.meta_v1 import ObjectMeta


class EventSeries(Model):
    """Repeats of one event, counted instead of stored."""

    count: Int32 = field(1, "Number of occurrences so far.", required=True, always=True)
    lastObservedTime: MicroTime = field(2, "Time of the latest occurrence.", required=True, always=True)


class Event(TypedModel):
    """A note that something happened to an object."""

    API_VERSION = "events.k8s.io/v1"

    metadata: ObjectMeta | None = field(1, "Name and namespace of the event itself.", always=True)
    eventTime: MicroTime = field(2, "When it was first observed.", required=True, always=True)
    series: EventSeries | None = field(3, "The run of repeats this event stands for.")
    reportingController: str | None = field(4, "Name of the controller that reports.")
    reportingInstance: str | None = field(5, "Which instance of that controller.")
    action: str | None = field(6, "What was done about it.")
    reason: str | None = field(7, "Short CamelCase word for why.")
    regarding: ObjectReference | None = field(8, "The object this is about.", always=True)
    related: ObjectReference | None = field(9, "A second object that took part.")
    note: str | None = field(10, "What happened, for people.")
    type: str | None = field(11, "Normal or Warning.")
    deprecatedSource: EventSource | None = field(12, "`source` of the core form.", always=True)
    deprecatedFirstTimestamp: Time | None = field(13, "`firstTimestamp` of the core form.", always=True)
    deprecatedLastTimestamp: Time | None = field(14, "`lastTimestamp` of the core form.", always=True)
    deprecatedCount: Int32 | None = field(15, "`count` of the core form.")
