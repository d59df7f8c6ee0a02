"""Small clusters for the tests of topology spread: nodes by their labels, pods by where they are."""

from sampan_master.scheduler.cluster import Cluster
from sampan_master.scheduler.signature import signature

HOST = "kubernetes.io/hostname"
TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


def node(name, labels, taints=()):
    status = {"allocatable": {"cpu": "9", "memory": "9Gi", "pods": "99"}}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"taints": list(taints)}, "status": status}


def zoned(*names, zones=("zone1", "zone1", "zone2", "zone2"), key="node"):
    """Nodes with a label of their own and one of their zone."""
    return [node(name, {"zone": zone, key: name}) for name, zone in zip(names, zones, strict=False)]


def pod(labels, *constraints, name="p", namespace="default", **spec):
    spec = {"containers": [{"name": "c"}], "topologySpreadConstraints": list(constraints), **spec}
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}", "labels": labels}
    return {"metadata": metadata, "spec": spec}


def hard(skew, key, *labels, **fields):
    return constraint(skew, key, labels, "DoNotSchedule", fields)


def soft(skew, key, *labels, **fields):
    return constraint(skew, key, labels, "ScheduleAnyway", fields)


def constraint(skew, key, labels, action, fields):
    selector = {"matchExpressions": [{"key": label, "operator": "Exists"} for label in labels]} if labels else None
    given = {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": action}
    return given | ({"labelSelector": selector} if selector else {}) | fields


def placed(name, on, labels, namespace="default", terminating=False):
    made = pod(labels, name=name, namespace=namespace, nodeName=on)
    if terminating:
        made["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    return made


def spread(labels, **counts):
    """So many pods with `labels` on each node."""
    return [placed(f"{on}-{i}", on, labels) for on, count in counts.items() for i in range(count)]


def cluster_of(nodes, pods):
    cluster = Cluster()
    for each in nodes:
        cluster.nodes.put_node(each)
    for each in pods:
        cluster.saw_bound(each)
    return cluster


def state_of(plugin, cluster, new):
    return plugin.relation.prepare(cluster, signature(new))
