"""pods/ephemeralcontainers and pods/resize over HTTP: what may change, what may not, and in which words."""

from typing import Any

from api_harness import IMAGE, STRATEGIC, Answer, Http, causes, pod

PODS = "/api/v1/namespaces/default/pods"
EPHEMERAL, RESIZE = f"{PODS}/web/ephemeralcontainers", f"{PODS}/web/resize"


async def made(http: Http, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    obj = pod(**spec)
    if containers:
        obj["spec"]["containers"] = [{"image": IMAGE, **container} for container in containers]
    answer = await http("POST", PODS, obj)
    assert answer.code == 201, answer.text
    return answer.json


async def debug(http: Http, *containers: dict[str, Any]) -> Answer:
    full = [{"image": IMAGE, **container} for container in containers]
    return await http("PATCH", EPHEMERAL, {"spec": {"ephemeralContainers": full}}, STRATEGIC)


async def resize(http: Http, *containers: dict[str, Any]) -> Answer:
    return await http("PATCH", RESIZE, {"spec": {"containers": list(containers)}}, STRATEGIC)


def resources(name: str = "c", **parts: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "resources": parts}


async def test_an_ephemeral_container_is_added_with_its_defaults(http: Http) -> None:
    before = await made(http)
    answer = await debug(http, {"name": "dbg", "command": ["sh"], "stdin": True, "targetContainerName": "c"})
    assert answer.code == 200, answer.text
    assert answer.json["spec"]["ephemeralContainers"] == [
        {
            "name": "dbg",
            "image": IMAGE,
            "command": ["sh"],
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
            "stdin": True,
            "targetContainerName": "c",
        }
    ]
    assert answer.json["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert (await http("GET", EPHEMERAL)).json == answer.json


async def test_nothing_else_changes_through_that_door(http: Http) -> None:
    before = await made(http)
    changed = {**before, "metadata": {**before["metadata"], "labels": {"x": "y"}}}
    changed["spec"] = {**before["spec"], "activeDeadlineSeconds": 5}
    changed["spec"]["ephemeralContainers"] = [{"name": "dbg", "image": IMAGE}]
    after = (await http("PUT", EPHEMERAL, changed)).json
    assert after["metadata"]["labels"] == {"app": "web"}
    assert "activeDeadlineSeconds" not in after["spec"]
    assert [c["name"] for c in after["spec"]["ephemeralContainers"]] == ["dbg"]
    assert (await http("PUT", EPHEMERAL, changed)).code == 409
    assert (
        "spec: Forbidden: pod updates may not change fields"
        in causes(
            await http(
                "PATCH", f"{PODS}/web", {"spec": {"ephemeralContainers": [{"name": "n", "image": "i"}]}}, STRATEGIC
            )
        )[0]
    )


async def test_ephemeral_containers_stay_as_they_were(http: Http) -> None:
    await made(http)
    kept = (await debug(http, {"name": "dbg"})).json
    assert (await debug(http, {"name": "more"})).code == 200
    removed = {**kept, "spec": {**kept["spec"], "ephemeralContainers": []}}
    del removed["metadata"]["resourceVersion"]
    said = causes(await http("PUT", EPHEMERAL, removed))
    assert 'spec.ephemeralContainers: Forbidden: existing ephemeral containers "dbg" may not be removed\n' in said
    [said] = causes(await debug(http, {"name": "dbg", "image": "other:1"}))
    assert said.startswith(
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "dbg" may not be changed\n'
    )


async def test_what_an_ephemeral_container_may_not_have(http: Http) -> None:
    await made(http)
    probe = {"exec": {"command": ["true"]}}
    answer = await debug(
        http,
        {
            "name": "dbg",
            "ports": [{"containerPort": 80}],
            "resources": {"limits": {"cpu": "1"}},
            "livenessProbe": probe,
            "lifecycle": {"preStop": probe},
            "targetContainerName": "zz",
        },
        {"name": "c"},
        {"name": ""},
    )
    no = "Forbidden: cannot be set for an Ephemeral Container"
    assert causes(answer) == [
        'spec.ephemeralContainers[0].targetContainerName: Not found: "zz"',
        f"spec.ephemeralContainers[0].ports: {no}",
        f"spec.ephemeralContainers[0].resources: {no}",
        f"spec.ephemeralContainers[0].livenessProbe: {no}",
        f"spec.ephemeralContainers[0].lifecycle: {no}",
        'spec.ephemeralContainers[1].name: Duplicate value: "c"',
        "spec.ephemeralContainers[2].name: Required value",
    ]
    assert (await http("PATCH", f"{PODS}/nope/ephemeralcontainers", {}, STRATEGIC)).code == 404


async def test_cpu_and_memory_of_a_container_change_through_resize_alone(http: Http) -> None:
    before = await made(http, resources(requests={"cpu": "100m"}, limits={"cpu": "1", "memory": "64Mi"}))
    answer = await resize(http, resources(requests={"cpu": "200m"}, limits={"memory": "128Mi"}))
    assert answer.code == 200, answer.text
    assert answer.json["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "1", "memory": "128Mi"},
        "requests": {"cpu": "200m", "memory": "64Mi"},
    }
    assert answer.json["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert (await http("GET", RESIZE)).json == answer.json
    [_, mine] = answer.json["metadata"]["managedFields"]
    sizes = {"f:limits": {"f:memory": {}}, "f:requests": {"f:cpu": {}}}
    assert (mine["subresource"], mine["fieldsV1"]) == (
        "resize",
        {"f:spec": {"f:containers": {'k:{"name":"c"}': {"f:resources": sizes}}}},
    )
    ignored = await http("PATCH", RESIZE, {"spec": {"containers": [{"name": "c", "image": "x"}]}}, STRATEGIC)
    assert (ignored.code, ignored.json) == (200, answer.json)
    main = {"spec": {"containers": [resources(limits={"cpu": "2"})]}}
    assert causes(await http("PATCH", f"{PODS}/web", main, STRATEGIC))[0].startswith("spec: Forbidden: ")


async def test_what_resize_may_not_do(http: Http) -> None:
    await made(
        http,
        resources("a", requests={"cpu": "100m", "memory": "64Mi"}, limits={"cpu": "1", "memory": "128Mi"}),
        resources("b", requests={"cpu": "100m"}),
        initContainers=[{"name": "i", "image": IMAGE}],
    )
    assert causes(await resize(http, resources("a", requests={"cpu": "2"}))) == [
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'
    ]
    gone: dict[str, Any] = {"name": "a", "resources": {"limits": {"memory": None}, "requests": {"memory": None}}}
    assert causes(await resize(http, gone)) == [
        "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
        "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
    ]
    assert causes(await resize(http, resources("b", requests={"ephemeral-storage": "1Gi"}))) == [
        "spec: Forbidden: only cpu and memory resources are mutable"
    ]
    init = {"spec": {"initContainers": [resources("i", requests={"cpu": "1"})]}}
    assert causes(await http("PATCH", RESIZE, init, STRATEGIC)) == [
        "spec: Forbidden: resources for non-sidecar init containers are immutable"
    ]
    whole = (await http("GET", RESIZE)).json
    whole["spec"]["containers"].reverse()
    assert causes(await http("PUT", RESIZE, whole)) == [
        "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize",
        "spec.containers[1].name: Forbidden: containers may not be renamed or reordered on resize",
    ]
    whole["spec"]["containers"].pop()
    assert "spec.containers: Forbidden: containers may not be added or removed on resize" in causes(
        await http("PUT", RESIZE, whole)
    )


async def test_a_pod_keeps_its_class_when_resized(http: Http) -> None:
    amounts = {"cpu": "1", "memory": "64Mi"}
    await made(http, resources(requests=amounts, limits=amounts))
    assert causes(await resize(http, resources(limits={"cpu": "2"}))) == [
        'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing'
    ]
    both = {"cpu": "2", "memory": "32Mi"}
    assert (await resize(http, resources(requests=both, limits=both))).code == 200


async def test_the_status_door_takes_labels_too_but_neither_spec_nor_a_generation(http: Http) -> None:
    before = await made(http)
    metadata = {"labels": {"x": "y"}, "annotations": {"a": "b"}, "finalizers": ["x.io/a"]}
    changed = {"metadata": metadata, "spec": {"activeDeadlineSeconds": 5}, "status": {"phase": "Foo"}}
    after = (await http("PATCH", f"{PODS}/web/status", changed, STRATEGIC)).json
    assert after["status"]["phase"] == "Foo"
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == {"app": "web", "x": "y"}
    assert (after["metadata"]["annotations"], after["metadata"]["finalizers"]) == ({"a": "b"}, ["x.io/a"])
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    main = await http("PATCH", f"{PODS}/web", {"status": {"phase": "Bar"}}, STRATEGIC)
    assert (main.code, main.json["status"]["phase"]) == (200, "Foo")


async def test_server_side_apply_goes_through_both_doors(http: Http) -> None:
    await made(http, resources(requests={"cpu": "100m"}))
    apply = {"Content-Type": "application/apply-patch+yaml"}
    for path, spec in (
        (RESIZE, {"containers": [resources(requests={"cpu": "200m"})]}),
        (EPHEMERAL, {"ephemeralContainers": [{"name": "dbg", "image": IMAGE}]}),
    ):
        wanted = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
        answer = await http("PATCH", f"{path}?fieldManager=m&force=true", wanted, apply)
        assert answer.code == 200, answer.text
    spec = answer.json["spec"]
    assert spec["containers"][0]["resources"] == {"requests": {"cpu": "200m"}}
    assert [c["name"] for c in spec["ephemeralContainers"]] == ["dbg"]
    doors = {entry.get("subresource") for entry in answer.json["metadata"]["managedFields"] if entry["manager"] == "m"}
    assert doors == {"resize", "ephemeralcontainers"}
