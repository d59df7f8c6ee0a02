from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.zones import EvictionBudget, Zones, ZoneState, assess

CONFIG = ControllersConfig()


def nodes(ready, down, zone="a"):
    labels = {"topology.kubernetes.io/zone": zone}
    return [
        {"metadata": {"name": f"{zone}{i}", "labels": labels}, "status": {"conditions": [_ready(i < ready)]}}
        for i in range(ready + down)
    ]


def _ready(yes):
    return {"type": "Ready", "status": "True" if yes else "Unknown"}


def state(ready, down):
    ((result, _),) = assess(nodes(ready, down), CONFIG).by_name.values()
    return result


def test_a_zone_is_as_sick_as_the_share_of_its_nodes_that_is_down():
    assert state(3, 1) is ZoneState.NORMAL
    assert state(1, 2) is ZoneState.NORMAL
    assert state(2, 3) is ZoneState.PARTIAL
    assert state(0, 3) is ZoneState.FULL


def test_zones_are_judged_apart():
    both = assess(nodes(3, 0) + nodes(0, 3, "b"), CONFIG)
    assert {s for s, _ in both.by_name.values()} == {ZoneState.NORMAL, ZoneState.FULL}
    assert not both.all_down
    assert both.eviction_rate(":b", CONFIG) == 0.1, "a zone that is down while others are not is emptied"


def test_a_node_excluded_from_disruption_is_not_counted():
    down = nodes(0, 3)
    for node in down[:2]:
        node["metadata"]["labels"] = {**node["metadata"]["labels"], "node.kubernetes.io/exclude-disruption": ""}
    assert assess(nodes(1, 0) + down, CONFIG).by_name == {":a": (ZoneState.NORMAL, 2)}
    assert not assess([], CONFIG).all_down


def rate(state, size):
    return Zones({"z": (state, size), "other": (ZoneState.NORMAL, 1)}).eviction_rate("z", CONFIG)


def test_a_small_sick_zone_stops_and_a_large_one_slows():
    assert rate(ZoneState.NORMAL, 5) == 0.1
    assert rate(ZoneState.PARTIAL, 50) == 0
    assert rate(ZoneState.PARTIAL, 51) == 0.01
    assert rate(ZoneState.FULL, 51) == 0.1
    assert assess(nodes(0, 3) + nodes(0, 9, "b"), CONFIG).eviction_rate(":a", CONFIG) == 0


def test_one_node_every_ten_seconds():
    budget = EvictionBudget()
    given = []
    for now in (0, 1, 9, 10, 11, 20, 60, 61):
        wait = budget.wait(0.1, now)
        given.append(round(wait, 6))
        if wait == 0:
            budget.spend()
    assert given == [0, 9, 1, 0, 9, 0, 0, 9]
    assert budget.wait(0, 70) == float("inf")
