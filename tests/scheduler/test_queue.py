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
