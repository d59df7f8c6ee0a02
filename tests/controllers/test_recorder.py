from cluster import eventually
from sampan_api.client import CLUSTERROLES, EVENTS, PODS
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


async def told(cluster):
    return [(e["message"], e["count"]) for e in await cluster.list(EVENTS)]


async def test_from_the_tenth_message_on_similar_events_are_one(timeless):
    recorder = EventRecorder(timeless.client, timeless.clock, "tester")
    timeless.spawn(recorder.run())
    pod = await timeless.pod("web")
    for number in range(13):
        recorder.record(PODS, pod, "Warning", "Failed", f"at try {number}")
        recorder.record(PODS, pod, "Normal", "Trying", "again")
        await timeless.clock.advance(300)
    apart = [(f"at try {number}", 1) for number in range(9)]
    combined = ("(combined from similar events): at try 12", 4)
    assert sorted(await told(timeless)) == sorted([*apart, combined, ("again", 13)])
    await timeless.clock.advance(601)
    recorder.record(PODS, pod, "Warning", "Failed", "after a long time")
    await timeless.clock.advance(1)
    assert ("after a long time", 1) in await told(timeless)


async def test_of_one_object_only_so_many_events_are_written(timeless):
    recorder = EventRecorder(timeless.client, timeless.clock, "tester")
    timeless.spawn(recorder.run())
    pods = [await timeless.pod(name) for name in ("web", "quiet")]
    for _ in range(40):
        recorder.record(PODS, pods[0], "Warning", "Failed", "it did not work")
        await timeless.clock.advance(1)
    recorder.record(PODS, pods[1], "Warning", "Failed", "nor did this")
    await timeless.clock.advance(1)
    assert sorted(await told(timeless)) == [("it did not work", 25), ("nor did this", 1)]
    await timeless.clock.advance(300)
    recorder.record(PODS, pods[0], "Warning", "Failed", "it did not work")
    await timeless.clock.advance(1)
    assert ("it did not work", 41) in await told(timeless)


async def test_an_object_may_have_any_name(timeless):
    recorder = EventRecorder(timeless.client, timeless.clock, "tester")
    timeless.spawn(recorder.run())
    for name in ("system:node", "x" * 250):
        role = {"metadata": {"name": name, "uid": name}}
        recorder.record(CLUSTERROLES, role, "Warning", "Failed", "it did not work")
    await timeless.clock.advance(1)
    regarding = [event["involvedObject"]["name"] for event in await timeless.list(EVENTS)]
    assert sorted(regarding) == ["system:node", "x" * 250]
