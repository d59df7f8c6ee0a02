"""`scale`: one shape for everything that keeps replicas."""

from api_harness import MERGE, Http, replica_set

SETS = "/apis/apps/v1/namespaces/default/replicasets"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


async def test_a_scale_is_shown_as_a_table(http: Http) -> None:
    await http("POST", SETS, replica_set(replicas=2))
    seen = (await http("GET", f"{SETS}/rs/scale", headers=TABLE)).json
    assert [column["name"] for column in seen["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert seen["rows"][0]["cells"][:3] == ["rs", 2, 0]


async def test_replicas_are_put_and_patched_through_the_scale(http: Http) -> None:
    await http("POST", SETS, replica_set(replicas=2))
    scale = (await http("GET", f"{SETS}/rs/scale")).json
    assert scale["status"] == {"replicas": 0, "selector": "app=rs"}
    scale["spec"]["replicas"] = 5
    put = (await http("PUT", f"{SETS}/rs/scale", scale)).json
    assert (put["kind"], put["apiVersion"], put["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 5})
    assert put["metadata"]["resourceVersion"] != scale["metadata"]["resourceVersion"]
    patched = (await http("PATCH", f"{SETS}/rs/scale", {"spec": {"replicas": 0}}, MERGE)).json
    assert patched["spec"] == {}
    assert (await http("GET", f"{SETS}/rs")).json["spec"]["replicas"] == 0


async def test_a_stale_scale_is_refused(http: Http) -> None:
    await http("POST", SETS, replica_set())
    scale = (await http("GET", f"{SETS}/rs/scale")).json
    await http("PATCH", f"{SETS}/rs/scale", {"spec": {"replicas": 3}}, MERGE)
    answer = await http("PUT", f"{SETS}/rs/scale", scale)
    assert (answer.code, answer.json["reason"]) == (409, "Conflict")
