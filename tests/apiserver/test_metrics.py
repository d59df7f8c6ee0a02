"""`/metrics`: what Prometheus reads."""

import re

import pytest
from api_harness import Http, Running, config_map
from sampan_api.client import CONFIGMAPS
from sampan_master.apiserver.handlers.metrics import Labels, Measured, Metrics

MAPS = "/api/v1/namespaces/default/configmaps"
LINE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? -?[0-9.e+-]+')


def of(text: str, name: str, **labels: str) -> float:
    """The sum of the samples that bear these labels."""
    lines = [line for line in text.splitlines() if re.match(rf"{name}[{{ ]", line)]
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    return sum(float(line.rpartition(" ")[2]) for line in lines if all(one in line for one in wanted))


async def test_requests_are_counted_by_verb_resource_and_code(http: Http) -> None:
    await http("POST", MAPS, config_map("a"))
    for path in ("/a", "/a", "/none", ""):
        await http("GET", MAPS + path)
    await http("GET", "/api/v1/nothing")
    await http("GET", MAPS, headers={"Authorization": "Bearer wrong"})
    answer = await http("GET", "/metrics")
    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.text
    for number, labels in (
        (1, {"verb": "POST", "code": "201", "scope": "namespace"}),
        (2, {"verb": "GET", "code": "200", "scope": "resource"}),
        (1, {"verb": "GET", "code": "404", "scope": "resource"}),
        (1, {"verb": "LIST", "code": "200", "scope": "namespace"}),
    ):
        assert of(text, "apiserver_request_total", resource="configmaps", version="v1", group="", **labels) == number
    assert of(text, "apiserver_request_total", code="401", resource="") == 1
    assert of(text, "apiserver_request_duration_seconds_count", resource="configmaps", verb="GET") == 3
    assert of(text, "apiserver_request_duration_seconds_bucket", resource="configmaps", verb="GET", le="+Inf") == 3
    assert 0 < of(text, "apiserver_request_duration_seconds_sum", resource="configmaps", verb="GET") < 10


async def test_every_line_is_a_comment_or_a_sample_and_no_sample_comes_twice(http: Http) -> None:
    await http("GET", MAPS)
    lines = (await http("GET", "/metrics")).text.splitlines()
    samples = [line for line in lines if not line.startswith(("# HELP ", "# TYPE "))]
    assert all(LINE.fullmatch(line) for line in samples)
    names = [line.rpartition(" ")[0] for line in samples]
    assert len(names) == len(set(names))


async def test_what_runs_is_told(api: Running) -> None:
    async with api.http.stream(f"{MAPS}?watch=true") as watch:
        await api.client.create(CONFIGMAPS, config_map("a"))
        await watch.event()
        text = (await api.http("GET", "/metrics")).text
        assert of(text, "apiserver_longrunning_requests", verb="WATCH", resource="configmaps") == 1
        assert of(text, "apiserver_current_inflight_requests", request_kind="readOnly") == 1
        assert of(text, "apiserver_current_inflight_requests", request_kind="mutating") == 0
    assert of(text, "apiserver_storage_objects", resource="configmaps") == 1
    assert of(text, "process_resident_memory_bytes") > 1e7
    assert of(text, "process_open_fds") > 3
    assert of(text, "process_cpu_seconds_total") > 0
    assert 1.6e9 < of(text, "process_start_time_seconds") < 1e11


async def test_clients_cannot_make_labels_up(http: Http) -> None:
    for number in range(20):
        await http("GET", f"/api/v1/namespaces/n{number}/kind{number}/x")
        await http("GET", f"/apis/g{number}/v1/x")
        await http("GET", f"/path{number}")
    text = (await http("GET", "/metrics")).text
    assert len([line for line in text.splitlines() if line.startswith("apiserver_request_total")]) == 1


def test_counting_costs_microseconds() -> None:
    metrics = Metrics(dict, "v1")
    for _ in range(1000):
        measured = Measured(metrics, "GET")
        measured.code = 200
        measured.done()
    durations = metrics.durations[Labels("GET")]
    assert sum(durations.counts) == 1000
    assert durations.total < 0.1


async def test_metrics_are_not_for_everybody(http: Http) -> None:
    answer = await http("GET", "/metrics", headers={"Impersonate-User": "bob"})
    assert answer.code == 403


async def test_what_nobody_foresaw_is_a_status_and_counted(
    api: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(api.server.registry, "get", broken)
    answer = await api.http("GET", f"{MAPS}/a")
    assert (answer.code, answer.json["reason"]) == (500, "InternalError")
    assert answer.header("audit-id")
    assert [record.message for record in caplog.records] == [f"unhandled error in GET {MAPS}/a"]
    caplog.clear()
    assert of((await api.http("GET", "/metrics")).text, "apiserver_request_total", code="500") == 1
