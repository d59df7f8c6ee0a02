"""Health: what load balancers and people ask."""

import pytest
from api_harness import Http, Running
from sampan_master.storage import StoreUnavailable


@pytest.mark.parametrize("kind", ["healthz", "livez", "readyz"])
async def test_all_is_well(http: Http, kind: str) -> None:
    for method in ("GET", "POST", "HEAD", "DELETE"):
        answer = await http(method, f"/{kind}", headers={"Authorization": ""})
        assert (answer.code, answer.header("content-type")) == (200, "text/plain; charset=utf-8")
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.text == ("" if method == "HEAD" else "ok")
    verbose = (await http("GET", f"/{kind}?verbose")).text
    assert verbose == f"[+]ping ok\n[+]etcd ok\n{kind} check passed\n"
    excluded = (await http("GET", f"/{kind}?verbose=true&exclude=etcd&exclude=ping")).text
    assert excluded == f"[+]ping excluded: ok\n[+]etcd excluded: ok\n{kind} check passed\n"
    assert (await http("GET", f"/{kind}/etcd")).text == "ok"
    for path in (f"/{kind}/", f"/{kind}/none"):
        answer = await http("GET", path)
        assert (answer.code, answer.text) == (404, "404 page not found\n")


async def test_a_store_that_does_not_answer_is_told_without_its_reason(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise StoreUnavailable("connection refused: 10.0.0.1")

    monkeypatch.setattr(api.storage.cache, "fresh", away)
    answer = await api.http("GET", "/readyz")
    assert answer.code == 500
    assert answer.text == "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"
    assert (await api.http("GET", "/readyz?exclude=etcd")).text == "ok"
    assert (await api.http("GET", "/livez/ping")).text == "ok"


async def test_version_and_root_are_indented(http: Http) -> None:
    version = await http("GET", "/version/", headers={"Authorization": ""})
    assert list(version.json) == [
        "major",
        "minor",
        "emulationMajor",
        "emulationMinor",
        "minCompatibilityMajor",
        "minCompatibilityMinor",
        "gitVersion",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    ]
    root = await http("GET", "/")
    assert version.text.startswith('{\n  "')
    assert root.text.startswith('{\n  "paths": [\n')
    for path in root.json["paths"]:
        assert (await http("GET", path)).code == 200, path
