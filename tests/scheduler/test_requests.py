from sampan_master.scheduler.requests import as_held, pod_requests, pod_requests_for_scoring


def container(cpu=None, memory=None, **fields):
    requests = {name: text for name, text in (("cpu", cpu), ("memory", memory)) if text is not None}
    return {"name": "c", "resources": {"requests": requests}, **fields}


def pod(*containers, init=(), **spec):
    return {"spec": {"containers": list(containers), "initContainers": list(init), **spec}}


def test_containers_add_up_and_init_containers_count_by_the_greatest():
    assert pod_requests(pod(container("1"), container("500m"), init=[container("2"), container("1")])) == {"cpu": 2000}


def test_a_sidecar_adds_to_what_starts_after_it():
    sidecar = container("300m", restartPolicy="Always")
    assert pod_requests(pod(container("1"), init=[container("1"), sidecar, container("1500m")])) == {"cpu": 1800}
    assert pod_requests(pod(container("1"), init=[sidecar])) == {"cpu": 1300}


def test_overhead_comes_on_top_and_zero_is_nothing():
    assert pod_requests(pod(container("0", "1Ki"), overhead={"memory": "1Ki"})) == {"memory": 2048}


def test_pod_level_requests_replace_the_sum():
    assert pod_requests(pod(container("1", "1Ki"), resources={"requests": {"cpu": "3"}})) == {
        "cpu": 3000,
        "memory": 1024,
    }


def test_a_container_that_names_nothing_counts_a_usual_amount_for_scoring_only():
    silent = pod(container(), container("1"))
    assert pod_requests(silent) == {"cpu": 1000}
    assert pod_requests_for_scoring(silent) == (1100, 2 * 200 * 1024 * 1024)


def resized(asked, *, allotted=None, runs=None, reason=""):
    one = {"name": "c"}
    if allotted:
        one["allocatedResources"] = {"cpu": allotted}
    if runs:
        one["resources"] = {"requests": {"cpu": runs}}
    conditions = [{"type": "PodResizePending", "status": "True", "reason": reason}] if reason else []
    return pod(container(asked)) | {"status": {"containerStatuses": [one], "conditions": conditions}}


def test_while_a_resize_is_under_way_the_greater_counts():
    assert pod_requests(as_held(resized("500m", allotted="500m", runs="1"))) == {"cpu": 1000}
    assert pod_requests(as_held(resized("500m", allotted="2", runs="1"))) == {"cpu": 2000}
    assert pod_requests(as_held(resized("3", allotted="1", runs="1", reason="Deferred"))) == {"cpu": 3000}


def test_a_resize_that_is_known_from_one_side_only_counts_by_that():
    assert pod_requests(as_held(resized("500m", allotted="2"))) == {"cpu": 2000}
    assert pod_requests(as_held(resized("500m", runs="1"))) == {"cpu": 1000}


def test_what_a_node_can_never_give_does_not_count():
    assert pod_requests(as_held(resized("100", allotted="1", runs="1", reason="Infeasible"))) == {"cpu": 1000}


def test_a_pod_that_holds_what_it_asks_for_is_left_as_it_is():
    for same in (resized("1"), resized("1", allotted="1000m", runs="1"), pod(container("1"))):
        assert as_held(same) is same
