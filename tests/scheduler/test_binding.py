"""What the scheduler writes on a pod that fits nowhere."""

from sampan_api import meta
from sampan_api.client import PODS
from sampan_master.scheduler.binding import report_unschedulable


async def reported(cluster, message, nominated=None):
    """The pod behind a report that was made with the pod as it stands."""
    pod = await cluster.client.get(PODS, "web", "default")
    await report_unschedulable(cluster.client, cluster.clock, pod, message, nominated)
    return await cluster.client.get(PODS, "web", "default")


async def test_a_refusal_is_written_once_and_dates_from_the_first(timeless):
    await timeless.pod("web")
    first = await reported(timeless, "no room")
    said = meta.condition(first, "PodScheduled")
    assert (said["status"], said["reason"], said["message"]) == ("False", "Unschedulable", "no room")
    await timeless.clock.advance(10)
    again = await reported(timeless, "no room")
    assert meta.resource_version(again) == meta.resource_version(first)
    other = meta.condition(await reported(timeless, "no node"), "PodScheduled")
    assert (other["message"], other["lastTransitionTime"]) == ("no node", said["lastTransitionTime"])


async def test_a_pod_that_was_scheduled_by_its_own_word_is_refused_as_of_now(timeless):
    await timeless.pod("web")
    stamp = "2020-01-01T00:00:00Z"
    claimed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp}
    await timeless.client.patch(PODS, "web", {"status": {"conditions": [claimed]}}, "default", subresource="status")
    assert meta.condition(await reported(timeless, "no"), "PodScheduled")["lastTransitionTime"] != stamp


async def test_a_nomination_is_written_changed_and_taken_back_though_the_words_stay(timeless):
    await timeless.pod("web")
    given = ["n1", "n2", None, ""]
    told = [(await reported(timeless, "no", node))["status"].get("nominatedNodeName") for node in given]
    assert told == ["n1", "n2", "n2", None]
    before = await timeless.client.get(PODS, "web", "default")
    assert meta.resource_version(await reported(timeless, "no", "")) == meta.resource_version(before)
