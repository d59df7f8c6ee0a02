"""What the scheduler tells Prometheus. Names, labels and buckets are kube-scheduler's."""

from cluster import eventually
from sampan_master.prometheus import exponential
from sampan_master.scheduler import SchedulerConfig, SchedulerMetrics, run
from sampan_master.scheduler.metrics import Result
from sampan_master.scheduler.queue import SchedulingQueue, kind_of


def value(metrics, name):
    """The value of the line that begins with `name`, labels included; None when nobody tells of it."""
    found = [line.rpartition(" ")[2] for line in metrics.lines() if line.rpartition(" ")[0] == name]
    return float(found[0]) if found else None


def bounds_of(metrics, name):
    lines = [line for line in metrics.lines() if line.startswith(f"{name}_bucket")]
    return [line.partition('le="')[2].partition('"')[0] for line in lines]


def test_buckets_grow_as_those_of_kubernetes():
    assert exponential(0.001, 2, 15)[-1] == 16.384
    metrics = SchedulerMetrics()
    metrics.attempt(Result.SCHEDULED, "default-scheduler", 0.001)
    attempts = bounds_of(metrics, "scheduler_scheduling_attempt_duration_seconds")
    assert attempts[:3] + attempts[-2:] == ["0.001", "0.002", "0.004", "16.384", "+Inf"]
    assert bounds_of(metrics, "scheduler_preemption_victims") == ["1", "2", "4", "8", "16", "32", "64", "+Inf"]
    metrics.bound(1, 0.5)
    waited = bounds_of(metrics, "scheduler_pod_scheduling_sli_duration_seconds")
    assert (waited[0], waited[-2]) == ("0.01", "5242.88")
    metrics.binding("default-scheduler", 0.001, 0.002, bound=True)
    points = bounds_of(metrics, "scheduler_framework_extension_point_duration_seconds")
    assert (points[0], points[-2]) == ("0.0001", "0.2048")


def test_a_pod_that_needed_many_attempts_is_one_of_many():
    metrics = SchedulerMetrics()
    for attempts in (1, 14, 15, 40):
        metrics.bound(attempts, 1)
    for label, expected in (("1", 1), ("14", 1), ("15+", 2), ("40", None)):
        count = f'scheduler_pod_scheduling_sli_duration_seconds_count{{attempts="{label}"}}'
        assert value(metrics, count) == expected
    assert value(metrics, 'scheduler_pod_scheduling_attempts_bucket{le="1"}') == 1
    assert value(metrics, "scheduler_pod_scheduling_attempts_sum") == 70


def pod(name, **spec):
    return {"metadata": {"name": name, "namespace": "d", "uid": name}, "spec": {"containers": [{"name": "c"}], **spec}}


def test_each_way_into_a_queue_is_counted_with_its_reason():
    came = []
    queue = SchedulingQueue(SchedulerConfig())
    queue.incoming = lambda name, event: came.append((name, str(event)))

    def put(a_pod):
        queue.put(a_pod, kind_of(a_pod), 0.0)

    put(pod("gated", schedulingGates=[{"name": "g"}]))
    put(pod("a"))
    assert queue.sizes() == {"active": 1, "backoff": 0, "unschedulable": 0, "gated": 1}
    queue.no_node_fits(queue.pop(), 0.0)
    assert queue.sizes()["unschedulable"] == 1
    queue.move([kind_of(pod("a"))], 0.5, "NodeAdd")
    queue.tick(1.0)
    queue.no_node_fits(queue.pop(), 1.0)
    queue.tick(400.0)
    queue.retry_later(queue.pop(), 400.0)
    put(pod("gated"))
    assert came == [
        ("unschedulable", "UnschedulablePodAdd"),
        ("active", "UnschedulablePodAdd"),
        ("unschedulable", "ScheduleAttemptFailure"),
        ("backoff", "NodeAdd"),
        ("active", "BackoffComplete"),
        ("unschedulable", "ScheduleAttemptFailure"),
        ("active", "UnschedulableTimeout"),
        ("backoff", "ScheduleAttemptFailure"),
        ("active", "UnschedulablePodUpdate"),
    ]


async def test_attempts_and_sizes_are_told_while_it_works(cluster):
    metrics = SchedulerMetrics()
    assert value(metrics, 'scheduler_pending_pods{queue="active"}') is None
    await cluster.node("n1", cpu="1")
    task = cluster.spawn(run(cluster.client, cluster.clock, SchedulerConfig(), metrics))
    for name in ("a", "b"):
        await cluster.pod(name, containers=[{"name": "c", "image": "x", "resources": {"requests": {"cpu": "600m"}}}])
    result = 'scheduler_schedule_attempts_total{{profile="default-scheduler",result="{}"}}'.format
    await eventually(lambda: value(metrics, result("scheduled")) == 1 and value(metrics, result("unschedulable")) == 1)
    assert value(metrics, 'scheduler_pending_pods{queue="unschedulable"}') == 1
    assert value(metrics, 'scheduler_cache_size{type="nodes"}') == 1
    assert value(metrics, "scheduler_preemption_attempts_total") == 1
    assert value(metrics, "scheduler_preemption_victims_count") == 0
    assert value(metrics, "scheduler_scheduling_algorithm_duration_seconds_count") == 2
    assert value(metrics, 'scheduler_queue_incoming_pods_total{event="UnschedulablePodAdd",queue="active"}') == 2
    point = 'extension_point="Bind",profile="default-scheduler",status="Success"'
    assert value(metrics, f"scheduler_framework_extension_point_duration_seconds_count{{{point}}}") == 1
    await cluster.node("n2", cpu="1")
    await eventually(lambda: value(metrics, result("scheduled")) == 2)
    incoming = [line for line in metrics.lines() if 'event="Node' in line]
    assert sum(float(line.rpartition(" ")[2]) for line in incoming) == 1
    await cluster.end(task)
    assert value(metrics, 'scheduler_pending_pods{queue="active"}') is None
    assert value(metrics, result("scheduled")) == 2
