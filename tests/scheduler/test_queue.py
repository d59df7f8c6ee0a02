from sampan_master.scheduler.config import SchedulerConfig
from sampan_master.scheduler.queue import SchedulingQueue, kind_of


def pod(name, priority=0, cpu="1", **spec):
    containers = [{"resources": {"requests": {"cpu": cpu}}}]
    return {
        "metadata": {"name": name, "namespace": "d", "uid": name},
        "spec": {"containers": containers, "priority": priority, **spec},
    }


def queue(*pods):
    result = SchedulingQueue(SchedulerConfig())
    for i, a_pod in enumerate(pods):
        result.put(a_pod, kind_of(a_pod), float(i))
    return result


def names(a_queue):
    popped = []
    while (waiting := a_queue.pop()) is not None:
        popped.append(waiting.key.name)
    return popped


def test_higher_priority_first_then_the_longest_wait():
    assert names(queue(pod("a"), pod("b", 10), pod("c", 10), pod("d"))) == ["b", "c", "a", "d"]


def test_back_off_doubles_from_one_second_to_ten():
    waiting_queue, now, delays = queue(pod("a")), 0.0, []
    for _ in range(6):
        waiting = waiting_queue.pop()
        waiting_queue.retry_later(waiting, now)
        delays.append(waiting_queue.next_tick(now))
        now += delays[-1]
        waiting_queue.tick(now)
    assert delays == [1, 2, 4, 8, 10, 10]


def test_unschedulable_waits_for_an_event_that_helps_its_signature():
    small, large = pod("small", cpu="1"), pod("large", cpu="8")
    waiting_queue = queue(small, large)
    for _ in range(2):
        waiting_queue.no_node_fits(waiting_queue.pop(), 0.0)
    waiting_queue.tick(20.0)
    assert names(waiting_queue) == []
    waiting_queue.move([kind_of(small)], 20.0)
    assert names(waiting_queue) == ["small"]


def test_unschedulable_is_flushed_after_five_minutes():
    waiting_queue = queue(pod("a"))
    waiting_queue.no_node_fits(waiting_queue.pop(), 0.0)
    waiting_queue.tick(299.0)
    assert names(waiting_queue) == []
    waiting_queue.tick(300.0)
    assert names(waiting_queue) == ["a"]


def test_who_may_have_been_helped_is_tried_before_its_back_off_ends_when_nobody_else_waits():
    helped = pod("helped")
    waiting_queue = queue(helped, pod("other", cpu="2"))
    waiting_queue.no_node_fits(waiting_queue.pop(), 0.0)
    waiting_queue.move([kind_of(helped)], 0.1)
    assert waiting_queue.sizes()["backoff"] == 1
    assert names(waiting_queue) == ["other", "helped"]
    assert not waiting_queue.has_some()


def test_who_met_with_an_error_waits_for_the_end_of_its_back_off():
    waiting_queue = queue(pod("a"), pod("b", cpu="2"))
    waiting_queue.retry_later(waiting_queue.pop(), 0.0)
    waiting_queue.no_node_fits(waiting_queue.pop(), 0.0)
    waiting_queue.met_with_error("b", 0.5)
    assert names(waiting_queue) == []
    assert waiting_queue.next_tick(0.5) == 0.5
    waiting_queue.tick(1.0)
    assert names(waiting_queue) == ["a", "b"]


def test_who_was_tried_goes_behind_those_that_were_not():
    waiting_queue = queue(pod("a"), pod("b"))
    waiting_queue.retry_later(waiting_queue.pop(), 5.0)
    waiting_queue.tick(6.0)
    assert names(waiting_queue) == ["b", "a"]


def test_the_time_behind_gates_is_not_the_schedulers():
    gated = pod("a", schedulingGates=[{"name": "g"}])
    waiting_queue = queue(gated)
    assert waiting_queue.get("a").first_active is None
    free = pod("a", schedulingGates=[])
    waiting_queue.put(free, kind_of(free), 500.0)
    waiting_queue.retry_later(waiting_queue.pop(), 501.0)
    waiting_queue.tick(502.0)
    assert waiting_queue.get("a").first_active == 500.0


def test_a_pod_that_changes_while_it_is_handed_out_comes_back_as_it_is_by_then():
    waiting_queue = queue(pod("a"))
    waiting = waiting_queue.pop()
    changed = pod("a", cpu="2")
    waiting_queue.put(changed, kind_of(changed), 1.0)
    assert names(waiting_queue) == []
    waiting_queue.retry_later(waiting, 2.0)
    waiting_queue.tick(3.0)
    assert waiting_queue.pop().kind == kind_of(changed)
    assert list(waiting_queue.kinds) == [kind_of(changed)]


def test_a_gated_pod_waits_for_its_gates():
    gated = pod("a", schedulingGates=[{"name": "g"}])
    waiting_queue = queue(gated)
    assert names(waiting_queue) == []
    free = pod("a", schedulingGates=[])
    waiting_queue.put(free, kind_of(free), 1.0)
    assert names(waiting_queue) == ["a"]


def test_a_removed_pod_does_not_come_back():
    waiting_queue = queue(pod("a"), pod("b"))
    waiting = waiting_queue.pop()
    waiting_queue.remove("a")
    waiting_queue.retry_later(waiting, 0.0)
    waiting_queue.tick(100.0)
    assert names(waiting_queue) == ["b"]
    assert len(waiting_queue) == 1


def test_a_status_change_of_an_unschedulable_pod_does_not_wake_it():
    a_pod = pod("a")
    waiting_queue = queue(a_pod)
    waiting_queue.no_node_fits(waiting_queue.pop(), 0.0)
    waiting_queue.put(a_pod | {"status": {"phase": "Pending"}}, kind_of(a_pod), 1.0)
    assert names(waiting_queue) == []


def test_a_back_off_that_was_overtaken_ends_nothing():
    """The pod changed, was tried at once and failed again: the end of its first back-off is not that of its second."""
    waiting_queue, changed = queue(pod("a")), pod("a", cpu="2")
    waiting_queue.retry_later(waiting_queue.pop(), 0.0)
    waiting_queue.put(changed, kind_of(changed), 0.1)
    waiting_queue.retry_later(waiting_queue.pop(), 0.2)
    waiting_queue.tick(1.0)
    assert names(waiting_queue) == []
    waiting_queue.tick(2.2)
    assert names(waiting_queue) == ["a"]


def test_only_a_pod_that_fits_nowhere_is_moved_by_what_may_help_it():
    waiting_queue = queue(pod("a"), pod("gated", schedulingGates=[{"name": "g"}]))
    for uid in ("a", "gated", "unknown"):
        waiting_queue.move_one(uid, 0.0)
    assert waiting_queue.sizes() == {"active": 1, "backoff": 0, "unschedulable": 0, "gated": 1}
    waiting_queue.no_node_fits(waiting_queue.pop(), 0.0)
    waiting_queue.move_one("a", 20.0)
    assert names(waiting_queue) == ["a"]
