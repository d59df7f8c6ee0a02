"""Services: who gets which address and port, and what an update keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from api_harness import ADMIN, Http, Running
from sampan_api.client import SERVICES, Client, PatchType
from sampan_api.clock import RealClock, VirtualClock, parse_time
from sampan_api.errors import InternalError, Invalid, NotFound
from sampan_master.apiserver.bootstrap import KEEP_SECONDS, initial_objects, keep_initial_objects
from sampan_master.apiserver.resources.kinds import services
from sampan_master.apiserver.resources.resource_type import ServiceNetwork
from sampan_master.apiserver.server import ApiServer, ApiServerConfig
from sampan_master.storage import Cache, Storage
from sampan_master.storage.memory import MemoryStore

NOW = parse_time("2026-01-01T01:00:00Z")
SMALL = ServiceNetwork("10.9.8.0/28", range(30000, 30004))


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    ports = [{"port": 80}]
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"a": "b"}, "ports": ports, **spec},
    }


async def make(client: Client, name: str = "web", **spec: Any) -> dict[str, Any]:
    made: dict[str, Any] = (await client.create(SERVICES, service(name, **spec), "default"))["spec"]
    return made


@asynccontextmanager
async def master(store: MemoryStore, network: ServiceNetwork) -> AsyncIterator[Client]:
    cache = Cache(store, RealClock())
    await cache.start()
    server = ApiServer(Storage(store, cache), ApiServerConfig(listen=(("127.0.0.1", 0),), network=network), RealClock())
    try:
        await server.start()
        yield server.client(ADMIN)
    finally:
        await server.stop()
        await cache.stop()


@pytest.fixture
async def small() -> AsyncIterator[list[Client]]:
    """Two masters on one store, with few addresses and ports to give."""
    async with AsyncExitStack() as stack:
        store = MemoryStore(RealClock())
        yield [await stack.enter_async_context(master(store, SMALL)) for _ in range(2)]


async def test_the_api_has_the_first_address(client: Client) -> None:
    spec = (await client.get(SERVICES, "kubernetes", "default"))["spec"]
    assert spec["clusterIP"] == "10.96.0.1"
    assert spec["ports"] == [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]


async def test_the_service_of_the_api_comes_back_when_it_is_deleted(api: Running) -> None:
    clock = VirtualClock()
    objects = initial_objects(ServiceNetwork(), 6443)
    keeper = asyncio.create_task(keep_initial_objects(api.client, objects, clock))
    try:
        deleted = await api.client.delete(SERVICES, "kubernetes", "default")
        async with asyncio.timeout(60):
            made = deleted
            while made["metadata"]["uid"] == deleted["metadata"]["uid"]:
                await clock.advance(KEEP_SECONDS)
                with suppress(NotFound):
                    made = await api.client.get(SERVICES, "kubernetes", "default")
        assert made["spec"]["clusterIP"] == "10.96.0.1"
    finally:
        keeper.cancel()


async def test_no_two_services_get_one_address_or_port_however_many_are_made_at_once(client: Client) -> None:
    made = await asyncio.gather(*(make(client, f"s{n}", type="NodePort") for n in range(40)))
    assert len({spec["clusterIP"] for spec in made}) == 40
    assert len({spec["ports"][0]["nodePort"] for spec in made}) == 40
    assert all(spec["clusterIPs"] == [spec["clusterIP"]] for spec in made)


async def test_two_masters_never_give_out_the_same(small: list[Client]) -> None:
    wishes = [make(small[n % 2], f"s{n}") for n in range(13)]
    addresses = {spec["clusterIP"] for spec in await asyncio.gather(*wishes)}
    assert addresses == {f"10.9.8.{n}" for n in range(2, 15)}
    with pytest.raises(InternalError, match="failed to allocate a serviceIP: range is full"):
        await make(small[0], "late")
    await small[1].delete(SERVICES, "s0", "default")
    assert (await make(small[0], "late"))["clusterIP"] in addresses


async def test_of_two_masters_asked_for_the_same_address_only_one_gives_it(small: list[Client]) -> None:
    for address in ("10.9.8.5", "10.9.8.6", "10.9.8.7"):
        wishes = [make(small[n % 2], f"s{address[-1]}{n}", clusterIP=address) for n in range(6)]
        outcomes = await asyncio.gather(*wishes, return_exceptions=True)
        assert sum(isinstance(outcome, dict) for outcome in outcomes) == 1
        refused = [outcome for outcome in outcomes if isinstance(outcome, Invalid)]
        assert len(refused) == 5
        assert "provided IP is already allocated" in refused[0].message


async def test_changes_that_take_something_race_as_well(small: list[Client]) -> None:
    for n in range(4):
        await make(small[0], f"s{n}")
    patch = {"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}]}}
    changes = [small[n % 2].patch(SERVICES, f"s{n}", patch, "default") for n in range(4)]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert sum(isinstance(outcome, dict) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Invalid) for outcome in outcomes) == 3


async def test_what_cannot_be_had_is_refused_in_kubernetes_words(client: Client) -> None:
    await make(client, "one", clusterIP="10.96.5.5", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    for spec, said in (
        (
            {"clusterIP": "10.96.5.5"},
            'spec.clusterIPs: Invalid value: ["10.96.5.5"]: failed to allocate IP 10.96.5.5:'
            " provided IP is already allocated",
        ),
        (
            {"clusterIP": "10.1.1.1"},
            'spec.clusterIPs: Invalid value: ["10.1.1.1"]: failed to allocate IP 10.1.1.1:'
            " the provided network does not match the current range",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
            "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range."
            " The range of valid ports is 30000-32767",
        ),
    ):
        with pytest.raises(Invalid) as refused:
            await make(client, "two", **spec)
        assert refused.value.message == f'Service "two" is invalid: {said}'


async def test_one_number_over_two_protocols_is_one_port_of_the_nodes(client: Client) -> None:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53}]
    made = (await make(client, type="NodePort", ports=ports))["ports"]
    assert made[0]["nodePort"] == made[1]["nodePort"]


async def test_a_headless_service_has_no_address(client: Client) -> None:
    spec = await make(client, clusterIP="None")
    assert (spec["clusterIP"], spec["clusterIPs"], spec["ipFamilyPolicy"]) == ("None", ["None"], "SingleStack")
    free = await make(client, "free", clusterIP="None", selector=None)
    assert (free["ipFamilyPolicy"], free["ipFamilies"]) == ("RequireDualStack", ["IPv4", "IPv6"])


async def test_an_update_that_does_not_name_them_keeps_address_and_ports(client: Client) -> None:
    made = await make(client, type="NodePort")
    changed = await client.update(SERVICES, service(type="NodePort", ports=[{"port": 81}]))
    assert changed["spec"]["clusterIP"] == made["clusterIP"]
    assert changed["spec"]["ports"][0] == {**made["ports"][0], "port": 81, "targetPort": 81}
    with pytest.raises(Invalid, match=r"spec.clusterIPs\[0\]: .*may not change once set"):
        await client.patch(SERVICES, "web", {"spec": {"clusterIP": "10.96.99.99"}}, "default")


async def test_what_a_new_type_does_not_need_goes_and_comes_back_with_the_old_one(client: Client) -> None:
    await make(client, type="LoadBalancer", externalTrafficPolicy="Local")
    strategic = PatchType.STRATEGIC

    async def turn(**spec: Any) -> dict[str, Any]:
        changed: dict[str, Any] = await client.patch(SERVICES, "web", {"spec": spec}, "default", type=strategic)
        return changed["spec"]

    spec = (await client.get(SERVICES, "web", "default"))["spec"]
    assert spec["healthCheckNodePort"] in range(30000, 32768)
    assert spec["healthCheckNodePort"] != spec["ports"][0]["nodePort"]
    spec = await turn(type="ClusterIP")
    assert not spec.keys() & {"healthCheckNodePort", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"}
    assert "nodePort" not in spec["ports"][0]
    spec = await turn(type="ExternalName", externalName="example.com")
    assert not spec.keys() & {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}
    spec = await turn(type="NodePort", externalName=None)
    assert spec["clusterIP"].startswith("10.")
    assert spec["ports"][0]["nodePort"] in range(30000, 32768)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        ({"type": "Foo"}, 'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", '),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        ({"ports": [{"port": 1}, {"port": 2}]}, "spec.ports[0].name: Required value"),
        (
            {"ports": [{"port": 1, "nodePort": 30000}]},
            "nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        ({"sessionAffinity": "Foo"}, 'spec.sessionAffinity: Unsupported value: "Foo": supported values: "ClientIP"'),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"clusterIP": "x"}, 'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address'),
        ({"clusterIP": "None", "type": "NodePort"}, "may not be set to 'None' for NodePort services"),
        ({"externalIPs": ["127.0.0.1"]}, "spec.externalIPs[0]: Invalid value: "),
        ({"externalTrafficPolicy": "Local"}, "may only be set for externally-accessible services"),
        ({"ipFamilyPolicy": "RequireDualStack"}, "this cluster is not configured for dual-stack services"),
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        ({"loadBalancerClass": "a/b"}, "may only be used when `type` is 'LoadBalancer'"),
        ({"selector": {"a b": "c"}}, 'spec.selector: Invalid value: "a b"'),
    ],
)
async def test_mistakes_are_told_in_kubernetes_words(client: Client, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await make(client, **spec)
    assert said in refused.value.message


async def test_only_the_status_of_a_load_balancer_has_addresses(client: Client) -> None:
    created = await client.create(SERVICES, service(type="LoadBalancer"), "default")
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    told = await client.update(SERVICES, {**created, "status": status}, "status")
    assert told["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]
    turned = await client.patch(SERVICES, "web", {"spec": {"type": "ClusterIP"}}, "default")
    assert turned["status"] == {"loadBalancer": {}}
    with pytest.raises(Invalid, match=r"may only be used when `spec.type` is 'LoadBalancer'"):
        await client.update(SERVICES, {**turned, "status": status}, "status")


async def test_a_put_to_a_new_name_makes_the_service_and_says_what_it_is_not_yet(http: Http) -> None:
    answer = await http("PUT", "/api/v1/namespaces/default/services/web", service())
    assert answer.code == 201
    assert answer.json["spec"]["clusterIP"]
    assert "services are stored, but no part of Sampan acts on them yet" in answer.header("warning")


@pytest.mark.parametrize(
    ("spec", "status", "cells"),
    [
        ({"clusterIPs": ["10.96.0.9"]}, {}, ["ClusterIP", "10.96.0.9", "<none>", "80/TCP", "60m", "a=b"]),
        (
            {"type": "LoadBalancer", "ports": [{"port": 80, "protocol": "UDP", "nodePort": 30001}]},
            {},
            ["LoadBalancer", "<none>", "<pending>", "80:30001/UDP", "60m", "a=b"],
        ),
        (
            {"type": "LoadBalancer", "externalIPs": ["192.0.2.7"]},
            {"loadBalancer": {"ingress": [{"hostname": "lb.example"}, {"ip": "192.0.2.1"}]}},
            ["LoadBalancer", "<none>", "192.0.2.1,lb.example,192.0.2.7", "80/TCP", "60m", "a=b"],
        ),
        (
            {"type": "ExternalName", "externalName": "x.y", "ports": [], "selector": {}},
            {},
            ["ExternalName", "<none>", "x.y", "<none>", "60m", "<none>"],
        ),
    ],
)
def test_a_service_tells_type_addresses_and_ports(
    spec: dict[str, Any], status: dict[str, Any], cells: list[str]
) -> None:
    base = {"type": "ClusterIP", "selector": {"a": "b"}, "ports": [{"port": 80, "protocol": "TCP"}]}
    metadata = {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z"}
    shown = services.RESOURCE.cells({"metadata": metadata, "spec": {**base, **spec}, "status": status}, NOW)
    assert shown == ["s", *cells]
