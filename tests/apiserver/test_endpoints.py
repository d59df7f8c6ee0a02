"""Endpoints and EndpointSlices: what is refused, what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from api_harness import Http
from sampan_api.client import ENDPOINTS, ENDPOINTSLICES, Client
from sampan_api.clock import parse_time
from sampan_api.errors import Invalid
from sampan_master.apiserver.resources.kinds import endpoints, endpointslices

NOW = parse_time("2026-01-01T01:00:00Z")
METADATA = {"name": "e", "namespace": "default"}
DEPRECATED = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'


def ready(*addresses: str, **more: Any) -> dict[str, Any]:
    return {"addresses": [{"ip": address} for address in addresses], **more}


async def test_every_answer_about_endpoints_says_that_they_are_deprecated(http: Http) -> None:
    collection = "/api/v1/namespaces/default/endpoints"
    for method, path, body in (
        ("POST", collection, {"metadata": METADATA}),
        ("GET", f"{collection}/e", None),
        ("GET", collection, None),
        ("GET", f"{collection}/nope", None),
    ):
        assert (await http(method, path, body)).header("warning") == DEPRECATED
    async with http.stream(f"{collection}?watch=true&timeoutSeconds=1") as stream:
        assert ("warning", DEPRECATED) in stream.headers
    assert (await http("GET", "/apis/discovery.k8s.io/v1/endpointslices")).header("warning") == ""


@pytest.mark.parametrize(
    ("subset", "said"),
    [
        ({"ports": [{"port": 80}]}, "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
        (ready("x"), 'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7'),
        (ready("127.0.0.1"), "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (ready("169.254.0.1"), "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (ready("224.0.0.1"), "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
        (ready("10.0.0.1", ports=[{"port": 0}]), "subsets[0].ports[0].port: Invalid value: 0: must be between 1"),
        (ready("10.0.0.1", ports=[{"port": 1}, {"port": 2}]), "subsets[0].ports[0].name: Required value"),
        (ready("10.0.0.1", ports=[{"port": 1, "protocol": "X"}]), 'protocol: Unsupported value: "X": supported values'),
    ],
)
async def test_wrong_endpoints_are_refused(client: Client, subset: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.create(ENDPOINTS, {"metadata": METADATA, "subsets": [subset]}, "default")
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("subsets", "shown"),
    [
        ([], "<none>"),
        ([{"notReadyAddresses": [{"ip": "10.0.0.1"}]}], ""),
        ([ready("10.0.0.1")], "10.0.0.1"),
        ([ready("10.0.0.1", "fd00::1", ports=[{"port": 80}])], "10.0.0.1:80,[fd00::1]:80"),
        (
            [ready(*(f"10.0.0.{n}" for n in range(5)), ports=[{"port": 80}])],
            "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more...",
        ),
    ],
)
def test_endpoints_show_their_first_addresses(subsets: list[dict[str, Any]], shown: str) -> None:
    assert endpoints.RESOURCE.cells({"metadata": METADATA, "subsets": subsets}, NOW) == ["e", shown, "<unknown>"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"addressType": "IP"}, 'addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"'),
        ({"addressType": ""}, "addressType: Required value"),
        ({"endpoints": [{"addresses": []}]}, "endpoints[0].addresses: Required value: must contain at least 1 address"),
        ({"endpoints": [{"addresses": ["fd00::1"]}]}, 'Invalid value: "fd00::1": must be a valid IPv4 address'),
        (
            {"endpoints": [{"addresses": ["10.0.0.1"]}] * 1001},
            "endpoints: Too many: 1001: must have at most 1000 items",
        ),
        ({"ports": [{"port": 1}, {"port": 2}]}, 'ports[1].name: Duplicate value: ""'),
        ({"ports": [{"port": 70000}]}, "ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"),
        (
            {"addressType": "FQDN", "endpoints": [{"addresses": ["local"]}]},
            "should be a domain with at least two segments separated by dots",
        ),
    ],
)
async def test_wrong_slices_are_refused(client: Client, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        await client.create(ENDPOINTSLICES, {"metadata": METADATA, "addressType": "IPv4", **fields}, "default")
    assert said in refused.value.message


async def test_an_empty_slice_says_so_and_its_type_stays(client: Client) -> None:
    made = await client.create(ENDPOINTSLICES, {"metadata": METADATA, "addressType": "IPv4"}, "default")
    assert (made["endpoints"], made["ports"], made["metadata"]["generation"]) == (None, None, 1)
    with pytest.raises(Invalid, match='addressType: Invalid value: "IPv6": field is immutable'):
        await client.patch(ENDPOINTSLICES, "e", {"addressType": "IPv6"}, "default")


def test_a_slice_shows_ports_and_addresses() -> None:
    backends = [{"addresses": [f"10.0.0.{n}"]} for n in range(5)]
    shown = {"metadata": METADATA, "addressType": "IPv4", "endpoints": backends, "ports": [{"port": 80}, {"name": "x"}]}
    cells = endpointslices.RESOURCE.cells(shown, NOW)
    assert cells == ["e", "IPv4", "80,x", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more...", "<unknown>"]
    empty = {"metadata": METADATA, "addressType": "IPv4", "endpoints": None, "ports": None}
    assert endpointslices.RESOURCE.cells(empty, NOW)[2:4] == ["<unset>", "<unset>"]
