from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why a node cannot take a pod. `eviction_may_help` is false where taking away other pods changes nothing
    (Kubernetes' UnschedulableAndUnresolvable); one such reason is enough to rule the node out for preemption."""

    text: str
    eviction_may_help: bool = True


def hopeless(reasons):
    return any(not reason.eviction_may_help for reason in reasons)
