from cluster import eventually
from sampan_api.client import EVENTS, PODS
from sampan_api.recorder import EventRecorder


async def recorded(cluster, recorder, times):
    cluster.spawn(recorder.run())
    pod = await cluster.pod("web")
    for _ in range(times):
        recorder.record(PODS, pod, "Warning", "Failed", "it did not work", action="Trying")
    return pod


async def test_equal_events_are_counted(cluster):
    pod = await recorded(cluster, EventRecorder(cluster.client, cluster.clock, "tester"), 3)

    async def three():
        found = await cluster.list(EVENTS, "default")
        return found[0] if found and found[0].get("count") == 3 else None

    event = await eventually(three)
    assert len(await cluster.list(EVENTS, "default")) == 1
    assert event["involvedObject"]["uid"] == pod["metadata"]["uid"]
    assert event["source"] == {"component": "tester"}
    assert event["metadata"]["name"].startswith("web.")


async def test_the_newer_style_repeats_as_a_series(cluster):
    await recorded(cluster, EventRecorder(cluster.client, cluster.clock, "tester", series=True), 2)

    async def twice():
        found = await cluster.list(EVENTS, "default")
        return found[0] if found and found[0].get("series", {}).get("count") == 2 else None

    event = await eventually(twice)
    assert event["eventTime"]
    assert event["action"] == "Trying"
    assert not event.get("count")


async def test_an_event_that_expired_is_written_anew(cluster):
    recorder = EventRecorder(cluster.client, cluster.clock, "tester")
    pod = await recorded(cluster, recorder, 1)
    (event,) = await eventually(lambda: cluster.list(EVENTS, "default"))
    await cluster.client.delete(EVENTS, event["metadata"]["name"], "default")
    recorder.record(PODS, pod, "Warning", "Failed", "it did not work")
    (again,) = await eventually(lambda: cluster.list(EVENTS, "default"))
    assert again["metadata"]["name"] != event["metadata"]["name"]
