"""TaintToleration: hard taints refuse, each PreferNoSchedule taint that is not tolerated lowers the score."""

from reference.reason import Reason
from reference.world import normalise_by_greatest, spec

HARD = ("NoSchedule", "NoExecute")


def tolerates(pod, taint):
    return any(_tolerates(toleration, taint) for toleration in spec(pod).get("tolerations") or [])


def _tolerates(toleration, taint):
    """An empty effect means every effect, an empty key with Exists every key."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if (toleration.get("operator") or "Equal") == "Exists":
        return True
    return (toleration.get("value") or "") == (taint.get("value") or "")


def untolerated(pod, node, effects):
    return [t for t in spec(node).get("taints") or [] if t["effect"] in effects and not tolerates(pod, t)]


def filter(world, pod, node):
    if untolerated(pod, node, HARD):
        return [Reason("node(s) had untolerated taint(s)", eviction_may_help=False)]
    return []


def score(world, pod, node, feasible):
    return len(untolerated(pod, node, ("PreferNoSchedule",)))


def normalise(world, pod, feasible, raw):
    return normalise_by_greatest(raw, reverse=True)
