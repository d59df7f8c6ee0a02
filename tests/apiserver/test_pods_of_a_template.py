"""Pods of one template share what was read, checked and named once; nothing that anybody may change is shared."""

import copy

import pytest
from api_harness import Running
from sampan_api.client import PODS, PatchType
from sampan_api.errors import BadRequest, Invalid

SPEC = {
    "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "0.1", "memory": "1024Ki"}}}],
    "nodeSelector": {"a": "b"},
}


def pod(name, spec=SPEC):
    metadata = {"name": name, "namespace": "default", "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy.deepcopy(spec)}


def told(made):
    """What must be equal for pods of one template: all but their names and what is made anew for each."""
    text = repr([made["spec"], made["status"], [one["fieldsV1"] for one in made["metadata"]["managedFields"]]])
    token = made["spec"]["volumes"][0]["name"]
    return text.replace(token, "TOKEN")


async def test_the_second_is_made_as_the_first(api: Running):
    first = await api.client.create(PODS, pod("one"), "default")
    second = await api.client.create(PODS, pod("two"), "default")
    assert told(first) == told(second)
    assert first["spec"]["volumes"][0]["name"] != second["spec"]["volumes"][0]["name"]
    assert second["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "1Mi"}


async def test_what_one_of_them_becomes_does_not_concern_the_next(api: Running):
    await api.client.create(PODS, pod("one"), "default")
    await api.client.patch(PODS, "one", {"spec": {"containers": [{"name": "c", "image": "other"}]}}, "default",
                           type=PatchType.STRATEGIC)  # fmt: skip
    second = await api.client.create(PODS, pod("two"), "default")
    assert second["spec"]["containers"][0]["image"] == "x"


async def test_a_spec_that_differs_is_read_and_checked_for_itself(api: Running):
    await api.client.create(PODS, pod("one"), "default")
    for change in ({"nodeSelector": {"a": "-"}}, {"restartPolicy": "Sometimes"}):
        with pytest.raises(Invalid):
            await api.client.create(PODS, pod("bad", SPEC | change), "default")
    for _ in range(2):
        with pytest.raises(BadRequest, match="unknown field"):
            await api.client.create(PODS, pod("bad", SPEC | {"nodeSelecter": {}}), "default")


async def test_no_name_stands_for_the_token_volumes(api: Running):
    """The name that is made anew for each pod is left out of the comparison, so nobody may be able to write it."""
    await api.client.create(PODS, pod("one"), "default")
    token = "kube-api-access-abcde"
    named = SPEC | {"volumes": [{"name": token, "emptyDir": {}}], "containers": [{"name": token, "image": "x"}]}
    await api.client.create(PODS, pod("two", named), "default")
    for forged in ("#", "\0", "kube-api-access-ABCDE", ""):
        bad = named | {"containers": [{"name": forged, "image": "x"}]}
        with pytest.raises(Invalid):
            await api.client.create(PODS, pod("three", bad), "default")


async def test_a_patched_status_shares_the_rest_and_changes_none_of_it(api: Running):
    made = await api.client.create(PODS, pod("one"), "default")
    before = copy.deepcopy(made)
    status = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
    for kind, name in ((PatchType.STRATEGIC, "a"), (PatchType.MERGE, "b")):
        patch = {"metadata": {"labels": {name: "1"}}, "spec": {"nodeName": "elsewhere"}, "status": status}
        after = await api.client.patch(PODS, "one", patch, "default", type=kind, subresource="status")
        assert after["spec"] == before["spec"]
        assert after["metadata"]["labels"][name] == "1"
        assert after["status"]["phase"] == "Running"
    assert made == before
    assert list(after) == list(before)
    with pytest.raises(Invalid, match="unknown field"):
        await api.client.patch(PODS, "one", {"spec": {"nodeNam": "x"}}, "default", subresource="status")
