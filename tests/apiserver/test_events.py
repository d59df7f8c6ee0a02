"""One event, two views: the core group's and that of events.k8s.io, which is stricter."""

from typing import Any

import pytest
from api_harness import MERGE, Http

CORE = "/api/v1/namespaces/default/events"
NEW = "/apis/events.k8s.io/v1/namespaces/default/events"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
INVOLVED = {"kind": "Pod", "namespace": "default", "name": "web"}
TIME = "2026-11-23T23:50:02.123456Z"


def event(**more: Any) -> dict[str, Any]:
    body = {
        "metadata": {"name": "web.1"},
        "eventTime": TIME,
        "type": "Normal",
        "reason": "Scheduled",
        "action": "Binding",
        "note": "assigned",
        "regarding": INVOLVED,
        "reportingController": "default-scheduler",
        "reportingInstance": "s1",
    }
    return {field: value for field, value in {**body, **more}.items() if value is not None}


async def test_what_one_group_wrote_the_other_shows_under_its_names(http: Http) -> None:
    made = await http("POST", NEW, event(series={"count": 3, "lastObservedTime": TIME}))
    assert made.code == 201, made.text
    shown = made.json
    assert list(shown)[:3] == ["kind", "apiVersion", "metadata"]
    assert (shown["apiVersion"], shown["note"], shown["deprecatedSource"]) == ("events.k8s.io/v1", "assigned", {})
    assert (await http("GET", f"{NEW}/web.1")).json == shown
    core = (await http("GET", f"{CORE}/web.1")).json
    assert (core["kind"], core["apiVersion"], core["message"]) == ("Event", "v1", "assigned")
    assert (core["involvedObject"], core["reportingComponent"]) == (INVOLVED, "default-scheduler")
    assert core["metadata"]["uid"] == shown["metadata"]["uid"]
    old = {
        "metadata": {"name": "web.2"},
        "involvedObject": INVOLVED,
        "message": "pulled",
        "source": {"component": "kubelet", "host": "n1"},
        "count": 4,
        "firstTimestamp": "2026-11-23T23:50:02Z",
        "lastTimestamp": "2026-11-23T23:50:03Z",
    }
    assert (await http("POST", CORE, old)).code == 201
    listed = (await http("GET", NEW)).json
    assert (listed["kind"], listed["apiVersion"]) == ("EventList", "events.k8s.io/v1")
    second = next(item for item in listed["items"] if item["metadata"]["name"] == "web.2")
    assert second["note"] == "pulled"
    assert second["deprecatedSource"] == {"component": "kubelet", "host": "n1"}
    assert second["deprecatedCount"] == 4
    assert second["deprecatedFirstTimestamp"] == "2026-11-23T23:50:02Z"


async def test_a_watch_of_either_group_tells_of_both(http: Http) -> None:
    async with http.stream(f"{NEW}?watch=1&resourceVersion=0&timeoutSeconds=5", http.defaults) as stream:
        await http("POST", CORE, {"metadata": {"name": "web.9"}, "involvedObject": INVOLVED, "message": "m"})
        while (told := await stream.event())["type"] != "ADDED":
            pass
        assert (told["object"]["apiVersion"], told["object"]["note"]) == ("events.k8s.io/v1", "m")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"eventTime": None}, "eventTime: Required value"),
        ({"action": None}, "action: Required value"),
        ({"reason": None}, "reason: Required value"),
        ({"reportingInstance": None}, "reportingInstance: Required value"),
        ({"type": "Odd"}, 'type: Invalid value: "": has invalid value: Odd'),
        ({"deprecatedCount": 1}, 'count: Invalid value: "": needs to be unset'),
        ({"deprecatedSource": {"component": "x"}}, 'source: Invalid value: "": needs to be unset'),
        (
            {"series": {"count": 1, "lastObservedTime": TIME}},
            'series.count: Invalid value: "": should be at least 2',
        ),
        ({"note": "x" * 1025}, 'message: Invalid value: "": can have at most 1024 characters'),
    ],
)
async def test_the_newer_group_wants_everything_said(http: Http, more: dict[str, Any], said: str) -> None:
    answer = await http("POST", NEW, event(**more))
    assert (answer.code, answer.json["message"]) == (422, f'Event.events.k8s.io "web.1" is invalid: {said}')


async def test_the_core_group_asks_only_what_it_always_asked(http: Http) -> None:
    loose = {"metadata": {"name": "a%b"}, "involvedObject": INVOLVED}
    assert "may not contain '%'" in (await http("POST", CORE, loose)).json["message"]
    loose["metadata"] = {"name": "Web_1"}
    assert (await http("POST", CORE, loose)).code == 201
    elsewhere = {"metadata": {"name": "x"}, "involvedObject": {**INVOLVED, "namespace": "ct"}}
    answer = await http("POST", CORE, elsewhere)
    said = 'involvedObject.namespace: Invalid value: "ct": does not match event.namespace'
    assert answer.json["message"] == f'Event "x" is invalid: {said}'
    half = {"metadata": {"name": "x"}, "involvedObject": INVOLVED, "eventTime": TIME, "reportingComponent": "c"}
    answer = await http("POST", CORE, half)
    assert [cause["field"] for cause in answer.json["details"]["causes"]] == ["reportingInstance", "action", "reason"]


async def test_through_the_newer_group_only_the_series_goes_on(http: Http) -> None:
    await http("POST", NEW, event())
    answer = await http("PATCH", f"{NEW}/web.1", {"note": "other"}, MERGE)
    said = 'message: Invalid value: "other": field is immutable'
    assert answer.json["message"] == f'Event.events.k8s.io "web.1" is invalid: {said}'
    series = {"series": {"count": 2, "lastObservedTime": TIME}}
    assert (await http("PATCH", f"{NEW}/web.1", series, MERGE)).code == 200
    assert (await http("PATCH", f"{CORE}/web.1", {"message": "other"}, MERGE)).json["message"] == "other"


async def test_fields_are_selected_by_the_names_of_the_group(http: Http) -> None:
    await http("POST", NEW, event())
    await http("POST", NEW, event(metadata={"name": "other.1"}, regarding={**INVOLVED, "name": "other"}))
    found = (await http("GET", f"{NEW}?fieldSelector=regarding.name%3Dother,reason%3DScheduled")).json["items"]
    assert [one["metadata"]["name"] for one in found] == ["other.1"]
    assert (await http("GET", f"{NEW}?fieldSelector=involvedObject.name%3Dother")).code == 400
    assert (await http("GET", f"{CORE}?fieldSelector=involvedObject.name%3Dother")).json["items"]


async def test_both_groups_print_alike(http: Http) -> None:
    await http("POST", NEW, event(series={"count": 3, "lastObservedTime": TIME}))
    rows = [(await http("GET", path, headers=TABLE)).json["rows"][0] for path in (CORE, NEW)]
    for row in rows:
        assert row["cells"][1:5] == ["Normal", "Scheduled", "pod/web", ""]
        assert row["cells"][5:7] == ["default-scheduler, s1", "assigned"]
        assert row["cells"][8:] == [3, "web.1"]


async def test_deleting_in_one_group_deletes_in_both(http: Http) -> None:
    await http("POST", NEW, event())
    answer = await http("DELETE", f"{NEW}/web.1")
    assert answer.json["details"] == {
        "name": "web.1",
        "group": "events.k8s.io",
        "kind": "events",
        "uid": answer.json["details"]["uid"],
    }
    assert (await http("GET", f"{CORE}/web.1")).code == 404
