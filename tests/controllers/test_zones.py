from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.zones import EvictionBudget, ZoneState, eviction_rate, states

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
    ((result, _),) = states(nodes(ready, down), CONFIG).values()
    return result


def test_a_zone_is_as_sick_as_the_share_of_its_nodes_that_is_down():
    assert state(3, 1) is ZoneState.NORMAL
    assert state(1, 2) is ZoneState.NORMAL
    assert state(2, 3) is ZoneState.PARTIAL
    assert state(0, 3) is ZoneState.FULL


def test_zones_are_judged_apart():
    both = states(nodes(3, 0) + nodes(0, 3, "b"), CONFIG)
    assert {s for s, _ in both.values()} == {ZoneState.NORMAL, ZoneState.FULL}


def test_a_small_sick_zone_stops_and_a_large_one_slows():
    assert eviction_rate(ZoneState.NORMAL, 5, CONFIG) == 0.1
    assert eviction_rate(ZoneState.PARTIAL, 50, CONFIG) == 0
    assert eviction_rate(ZoneState.PARTIAL, 51, CONFIG) == 0.01


def test_one_node_every_ten_seconds():
    budget = EvictionBudget()
    assert [budget.take(0.1, now) for now in (0, 1, 9, 10, 11, 20, 60, 61)] == [
        *(True, False, False, True, False, True, True, False)
    ]
