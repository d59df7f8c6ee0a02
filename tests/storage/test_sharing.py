"""Equal parts of objects are one in memory, however an object came into the cache."""

import copy

import orjson
import pytest
from sampan_api.clock import RealClock
from sampan_master.storage import Cache, KeyExists, Storage
from sampan_master.storage.entry import Entry, encode
from sampan_master.storage.sharing import shared

KEY = "/registry/pods/d/"
OWNER = {"manager": "m", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:containers": {}}}}


@pytest.fixture
async def storage(store):
    cache = Cache(store, RealClock())
    await cache.start()
    yield Storage(store, cache)
    await cache.stop()


def pod(name: str) -> dict:
    """Nothing of it is another pod's."""
    volume = {"name": f"token-{name}", "projected": {"sources": [{"secret": {"name": "s"}}]}}
    container = {"name": "app", "env": [{"name": "A", "value": "a"}], "volumeMounts": [{"name": volume["name"]}]}
    spec = {"containers": [container], "volumes": [volume], "tolerations": [{"key": "k", "operator": "Exists"}]}
    metadata = {"name": name, "namespace": "d", "managedFields": [OWNER]}
    return copy.deepcopy({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec})


def parts(obj: dict) -> list[object]:
    (container,), (volume,) = obj["spec"]["containers"], obj["spec"]["volumes"]
    (owner,) = obj["metadata"]["managedFields"]
    return [container["env"], volume["projected"], obj["spec"]["tolerations"], owner["fieldsV1"]]


def assert_one_in_memory(left: dict, right: dict) -> None:
    assert all(one is other for one, other in zip(parts(left), parts(right), strict=True))


def test_an_object_is_what_it_was():
    obj = pod("a")
    text = orjson.dumps(obj)
    assert orjson.dumps(shared(obj)) == text
    assert orjson.dumps(obj) == text


def test_pods_that_are_read_share_what_is_equal():
    one, other = (Entry(KEY + name, 7, encode(pod(name))).obj for name in "ab")
    assert_one_in_memory(one, other)
    assert one["spec"]["volumes"][0]["name"] != other["spec"]["volumes"][0]["name"]


async def test_pods_that_are_written_share_what_is_equal(storage: Storage):
    one, other = [(await storage.create(KEY + name, pod(name))).obj for name in "ab"]
    assert_one_in_memory(one, other)
    changed = (await storage.update(KEY + "a", lambda entry: {**pod("a"), "status": {"phase": "Running"}})).obj
    assert changed["status"] == {"phase": "Running"}
    assert_one_in_memory(changed, other)


async def test_who_changes_an_object_that_was_not_written_changes_no_other(storage: Storage):
    """As a name is generated anew when it was taken, or an address when another was quicker."""
    await storage.create(KEY + "a", {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}})
    mine = pod("a")
    mine["spec"]["tolerations"][0]["key"] = "not yet said by anybody"
    with pytest.raises(KeyExists):
        await storage.create(KEY + "a", mine)
    mine["spec"]["tolerations"][0]["key"] = "changed"
    theirs = pod("b")
    theirs["spec"]["tolerations"][0]["key"] = "not yet said by anybody"
    entry = await storage.create(KEY + "b", copy.deepcopy(theirs))
    assert entry.obj["spec"] == theirs["spec"] == orjson.loads(entry.data)["spec"]
