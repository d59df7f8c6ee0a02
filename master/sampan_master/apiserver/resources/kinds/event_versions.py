"""events.k8s.io/v1 as a view of the core group's Event: the same objects under other field names."""

from __future__ import annotations

from sampan_api.decoding import as_printed
from sampan_api.meta import Object
from sampan_api.models import events_v1
from sampan_api.models.core_v1 import event as core_v1

from sampan_master.apiserver.resources.resource_type import Conversion

NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_OLD_NAMES = {new: old for old, new in NEW_NAMES.items()}


def _from_stored(obj: Object) -> Object:
    renamed = {NEW_NAMES.get(field, field): value for field, value in obj.items()}
    return as_printed(events_v1.Event, {**renamed, "apiVersion": "events.k8s.io/v1"})


def _to_stored(obj: Object) -> Object:
    renamed = {_OLD_NAMES.get(field, field): value for field, value in obj.items()}
    return as_printed(core_v1.Event, {**renamed, "apiVersion": "v1"})


CONVERSION = Conversion(_from_stored, _to_stored)
