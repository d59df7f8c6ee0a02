"""What every `Client` does: each test runs with the one in process and the one over HTTPS, against a server whose TLS
is real."""

import asyncio
import json
from contextlib import AsyncExitStack, aclosing

import pytest
from api_harness import ADMIN, IMAGE, TOKEN, config_map, pod, replica_set, running
from sampan_api.client import (
    CONFIGMAPS,
    EVENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODDISRUPTIONBUDGETS,
    PODS,
    REPLICASETS,
    SERVICEACCOUNTS,
    DeleteOptions,
    EventType,
    PatchType,
    Resource,
    Selection,
)
from sampan_api.clock import RealClock, VirtualClock
from sampan_api.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
)
from sampan_api.https import HttpsClient
from sampan_api.informer import Informer
from sampan_api.kubeconfig import load
from sampan_master.apiserver.server import ApiServerConfig
from sampan_master.pki import ADMIN_GROUP, Authority, kubeconfig

PROOFS = ("certificate", "certificate files", "token", "token file", "unverified")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority.load_or_create(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def config(authority):
    pair = authority.issue_server(["127.0.0.1"])
    return ApiServerConfig(
        (("127.0.0.1", 0),),
        pair.cert_pem,
        pair.key_pem,
        authority.ca_pem,
        {TOKEN: ADMIN},
        authority.service_account_key(),
    )


def written(directory, server, authority, proof):
    """A kubeconfig that goes that way."""
    pair = authority.issue_client("admin", [ADMIN_GROUP])
    path = directory / "kubeconfig"
    if proof == "certificate":
        path.write_bytes(kubeconfig("lab", server, authority.ca_pem, pair))
        return path
    for name, content in (("ca", authority.ca_pem), ("crt", pair.cert_pem), ("key", pair.key_pem)):
        (directory / f"admin.{name}").write_bytes(content)
    (directory / "token").write_text(TOKEN)
    user = {
        "certificate files": {"client-certificate": "admin.crt", "client-key": "admin.key"},
        "token": {"token": TOKEN},
        "token file": {"tokenFile": "token"},
        "unverified": {"token": TOKEN},
    }[proof]
    trust = {"insecure-skip-tls-verify": True} if proof == "unverified" else {"certificate-authority": "admin.ca"}
    document = {
        "clusters": [{"name": "lab", "cluster": {"server": server, **trust}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "u"}}],
        "current-context": "lab",
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
async def api(config):
    async with running(config) as one:
        yield one


def server_of(api):
    return f"https://127.0.0.1:{api.server.addresses[0][1]}"


@pytest.fixture(params=("in process", "over HTTPS"))
async def way(request, api, authority, tmp_path):
    if request.param == "in process":
        yield api.client
        return
    access = load(str(written(tmp_path, server_of(api), authority, "certificate")))
    async with HttpsClient(access, RealClock(), "tester") as client:
        yield client


@pytest.mark.parametrize("proof", PROOFS)
async def test_every_way_to_say_who_one_is(api, authority, tmp_path, proof):
    access = load(str(written(tmp_path, server_of(api), authority, proof)))
    async with HttpsClient(access, RealClock(), "tester") as client:
        assert await client.create(CONFIGMAPS, config_map(a="1")) == await client.get(CONFIGMAPS, "cm", "default")
        async with aclosing(following(client, "1")) as events:
            assert (await anext(events)).type is EventType.ADDED


def node(name):
    room = {"cpu": "1", "memory": "1Gi", "pods": "10"}
    status = {"capacity": room, "allocatable": room}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


async def test_an_object_s_whole_life(way):
    made = await way.create(CONFIGMAPS, config_map(a="1"))
    assert made["metadata"]["uid"]
    assert await way.get(CONFIGMAPS, "cm", "default") == made
    changed = await way.update(CONFIGMAPS, {**made, "data": {"a": "2"}})
    assert changed["data"] == {"a": "2"}
    with pytest.raises(Conflict):
        await way.update(CONFIGMAPS, {**made, "data": {"a": "3"}})
    await way.delete(CONFIGMAPS, "cm", "default")
    with pytest.raises(NotFound, match='configmaps "cm" not found'):
        await way.get(CONFIGMAPS, "cm", "default")


async def test_a_kind_may_be_left_out_and_a_name_may_be_made(way):
    made = await way.create(CONFIGMAPS, {"metadata": {"generateName": "cm-"}, "data": {}}, "default")
    assert made["metadata"]["name"].startswith("cm-")
    assert made["kind"] == "ConfigMap"


async def test_lists_are_selected_and_paged(way):
    for number in range(5):
        await way.create(CONFIGMAPS, {"metadata": {"name": f"cm{number}", "labels": {"n": str(number)}}}, "default")
    chosen = await way.list(CONFIGMAPS, Selection("default", "n in (1,3)"))
    assert [item["metadata"]["name"] for item in chosen.items] == ["cm1", "cm3"]
    assert {(item["apiVersion"], item["kind"]) for item in chosen.items} == {("v1", "ConfigMap")}
    pages, continue_ = [], ""
    while True:
        page = await way.list(CONFIGMAPS, Selection("default", "n"), limit=2, continue_=continue_)
        pages.append(len(page.items))
        continue_ = page.continue_
        if not continue_:
            break
    assert pages == [2, 2, 1]
    assert int(page.resource_version) >= int(chosen.items[0]["metadata"]["resourceVersion"])
    assert (await way.list(PODS, Selection(field_selector="spec.nodeName=n1"))).items == []


async def test_the_three_patches(way):
    await way.create(PODS, pod(containers=[{"name": "a", "image": IMAGE}, {"name": "b", "image": IMAGE}]))
    merged = await way.patch(PODS, "web", {"metadata": {"labels": {"x": "1", "app": None}}}, "default")
    assert merged["metadata"]["labels"] == {"x": "1"}
    change = [{"op": "replace", "path": "/metadata/labels/x", "value": "2"}]
    assert (await way.patch(PODS, "web", change, "default", type=PatchType.JSON))["metadata"]["labels"] == {"x": "2"}
    strategic = {"spec": {"containers": [{"name": "b", "image": "other:1"}]}}
    changed = await way.patch(PODS, "web", strategic, "default", type=PatchType.STRATEGIC)
    images = [container["image"] for container in changed["spec"]["containers"]]
    assert images == [IMAGE, "other:1"]


async def test_subresources(way):
    await way.create(NODES, node("n1"))
    await way.create(PODS, pod())
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "web"},
        "target": {"kind": "Node", "name": "n1"},
    }
    await way.create(PODS, binding, "default", "binding")
    assert (await way.get(PODS, "web", "default"))["spec"]["nodeName"] == "n1"
    with pytest.raises(Conflict, match="already assigned"):
        await way.create(PODS, binding, "default", "binding")
    status = {"status": {"phase": "Running"}}
    await way.patch(PODS, "web", status, "default", type=PatchType.STRATEGIC, subresource="status")
    found = await way.get(PODS, "web", "default")
    await way.update(PODS, {**found, "status": {**found["status"], "phase": "Succeeded"}}, "status")
    assert (await way.get(PODS, "web", "default"))["status"]["phase"] == "Succeeded"
    await way.create(REPLICASETS, replica_set(replicas=1))
    scaled = await way.patch(REPLICASETS, "rs", {"spec": {"replicas": 3}}, "default", subresource="scale")
    assert (scaled["kind"], scaled["spec"]["replicas"]) == ("Scale", 3)
    assert (await way.update(REPLICASETS, {**scaled, "spec": {"replicas": 2}}, "scale"))["spec"]["replicas"] == 2
    await way.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": "robot", "namespace": "default"},
        "spec": {"audiences": []},
    }
    assert (await way.create(SERVICEACCOUNTS, asked, "default", "token"))["status"]["token"]


async def test_an_eviction_that_a_budget_forbids_is_refused_at_once(way):
    await way.create(PODS, pod())
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    await way.create(PODDISRUPTIONBUDGETS, {"metadata": {"name": "b"}, "spec": spec}, "default")
    none_left = {"observedGeneration": 1, "disruptionsAllowed": 0}
    await way.patch(PODDISRUPTIONBUDGETS, "b", {"status": none_left}, "default", subresource="status")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web", "namespace": "default"}}
    ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    await way.patch(PODS, "web", ready, "default", type=PatchType.STRATEGIC, subresource="status")
    with pytest.raises(TooManyRequests):
        async with asyncio.timeout(60):
            await way.create(PODS, eviction, "default", "eviction")


async def test_deletions_have_conditions(way):
    made = await way.create(PODS, pod())
    with pytest.raises(Conflict):
        await way.delete(PODS, "web", "default", DeleteOptions(uid="another"))
    await way.delete(PODS, "web", "default", DeleteOptions(grace_seconds=0, uid=made["metadata"]["uid"]))
    with pytest.raises(NotFound):
        await way.delete(PODS, "web", "default")
    await way.create(REPLICASETS, replica_set())
    await way.delete(REPLICASETS, "rs", "default", DeleteOptions(propagation="Foreground"))
    left = await way.get(REPLICASETS, "rs", "default")
    assert left["metadata"]["finalizers"] == ["foregroundDeletion"]


async def test_refusals_are_named(way):
    await way.create(CONFIGMAPS, config_map())
    with pytest.raises(AlreadyExists):
        await way.create(CONFIGMAPS, config_map())
    with pytest.raises(Invalid) as caught:
        await way.create(PODS, pod(containers=[]))
    assert caught.value.details["causes"][0]["field"] == "spec.containers"
    with pytest.raises(NotFound):
        await way.list(Resource("", "v1", "nothings", "Nothing", True))
    with pytest.raises(NotFound):
        await way.create(CONFIGMAPS, {"metadata": {"name": "other"}}, "nowhere")
    with pytest.raises(BadRequest):
        await way.list(CONFIGMAPS, Selection(label_selector="a in ("))


async def following(way, revision, labels=""):
    """What a watch of the config maps tells, without its bookmarks."""
    async for event in way.watch(CONFIGMAPS, revision, Selection("default", labels)):
        if event.type is not EventType.BOOKMARK:
            yield event


async def test_a_watch_tells_what_follows_and_nothing_else(way):
    before = await way.list(CONFIGMAPS)
    await way.create(CONFIGMAPS, config_map("other"))
    made = await way.create(
        CONFIGMAPS, {**config_map("mine"), "metadata": {"name": "mine", "labels": {"a": "b"}}}, "default"
    )
    changed = await way.patch(CONFIGMAPS, "mine", {"data": {"a": "1"}}, "default")
    await way.delete(CONFIGMAPS, "mine", "default")
    told = []
    async with asyncio.timeout(60), aclosing(following(way, before.resource_version, "a=b")) as events:
        async for event in events:
            told.append(event)
            if len(told) == 3:
                break
    assert [event.type for event in told] == [EventType.ADDED, EventType.MODIFIED, EventType.DELETED]
    assert [event.object for event in told[:2]] == [made, changed]
    assert int(told[2].object["metadata"]["resourceVersion"]) > int(changed["metadata"]["resourceVersion"])


async def test_a_revision_that_is_compacted_is_expired(way, api):
    await way.create(CONFIGMAPS, config_map())
    await api.storage.cache.stop()
    await api.store.compact(await api.store.revision())
    await api.storage.cache.start()
    with pytest.raises(Expired):
        await anext(way.watch(CONFIGMAPS, "1"))


async def test_an_informer_follows(way):
    informer = Informer(way, CONFIGMAPS, RealClock(), Selection("default"))
    following = asyncio.create_task(informer.run())
    try:
        async with asyncio.timeout(60):
            await informer.synced()
            await way.create(CONFIGMAPS, config_map(a="1"))
            await way.patch(CONFIGMAPS, "cm", {"data": {"a": "2"}}, "default")
            while (informer.get("cm", "default") or {}).get("data") != {"a": "2"}:
                await asyncio.sleep(0.005)
            await way.delete(CONFIGMAPS, "cm", "default")
            while informer.get("cm", "default"):
                await asyncio.sleep(0.005)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_new_connections_show_a_renewed_certificate(api, authority, tmp_path):
    clock = VirtualClock()
    access = load(str(written(tmp_path, server_of(api), authority, "certificate files")))
    nobody = authority.issue_client("nobody", [])
    (tmp_path / "admin.crt").write_bytes(nobody.cert_pem)
    (tmp_path / "admin.key").write_bytes(nobody.key_pem)
    async with HttpsClient(access, clock, "tester") as client:
        await client.list(CONFIGMAPS)
        await clock.advance(61)

        async def asked():
            try:
                await client.list(CONFIGMAPS)
            except Forbidden as error:
                return error.message
            return "as before"

        told = await asyncio.gather(*(asked() for _ in range(8)))
    assert any('User "nobody" cannot list' in said for said in told)


async def test_many_requests_at_once(way):
    names = [f"cm{number}" for number in range(200)]
    await asyncio.gather(*(way.create(CONFIGMAPS, config_map(name)) for name in names))
    found = await asyncio.gather(*(way.get(CONFIGMAPS, name, "default") for name in names))
    assert [obj["metadata"]["name"] for obj in found] == names


async def test_the_manager_is_named_in_managed_fields(api, authority, tmp_path):
    server = server_of(api)
    access = load(str(written(tmp_path, server, authority, "certificate")))
    async with HttpsClient(access, RealClock(), "kube-scheduler") as client:
        made = await client.create(LEASES, {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}, "kube-system")
    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["kube-scheduler"]


async def test_whom_one_does_not_trust_one_does_not_talk_to(api, authority, tmp_path):
    stranger = Authority.load_or_create(tmp_path / "stranger")
    server = server_of(api)
    access = load(str(written(tmp_path, server, authority, "token")))
    refusals = (
        (access._replace(ca_pem=stranger.ca_pem.decode()), "certificate signed by unknown authority"),
        (access._replace(server_name="other.example"), "other.example"),
        (access._replace(server=server.replace("127.0.0.1", "localhost")), "localhost"),
        (access._replace(server=server.replace("https", "http")), "."),
    )
    for refused, said in refusals:
        async with HttpsClient(refused, RealClock(), "tester") as client:
            with pytest.raises(ServiceUnavailable, match=said):
                await client.get(NAMESPACES, "default")
    named = access._replace(server=server.replace("127.0.0.1", "localhost"), server_name="127.0.0.1")
    async with HttpsClient(named, RealClock(), "tester") as client:
        await client.get(NAMESPACES, "default")


async def test_a_wrong_token_and_no_rights_are_told_apart(api, authority, tmp_path):
    server = server_of(api)
    access = load(str(written(tmp_path, server, authority, "token")))
    async with HttpsClient(access._replace(token="wrong"), RealClock(), "tester") as client:
        with pytest.raises(Unauthorized):
            await client.get(NAMESPACES, "default")
    async with HttpsClient(access._replace(token=""), RealClock(), "tester") as client:
        with pytest.raises(Forbidden, match="system:anonymous"):
            await client.get(EVENTS, "e", "default")


async def test_a_server_that_goes_ends_watches_and_is_unavailable(config, authority, tmp_path):
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(running(config))
        access = load(str(written(tmp_path, server_of(api), authority, "certificate")))
        client = await stack.enter_async_context(HttpsClient(access, RealClock(), "tester"))
        before = await client.list(CONFIGMAPS)
        told = []

        async def follow():
            async for event in following(client, before.resource_version):
                told.append(event.type)

        watching = asyncio.create_task(follow())
        await client.create(CONFIGMAPS, config_map())
        async with asyncio.timeout(60):
            while not told:
                await asyncio.sleep(0.005)
            await api.server.stop()
            await watching
        assert told == [EventType.ADDED]
        with pytest.raises(ServiceUnavailable, match="connection refused"):
            await client.get(NAMESPACES, "default")
