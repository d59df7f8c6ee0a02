"""SchedulingGates: a pod with gates does not enter the queue at all."""

from reference.world import spec


def is_gated(pod):
    return bool(spec(pod).get("schedulingGates"))


def message(pod):
    gates = [gate["name"] for gate in spec(pod)["schedulingGates"]]
    return f"waiting for scheduling gates: [{' '.join(gates)}]"
