from sampan_master.controllers.config import ControllersConfig
from sampan_master.controllers.zones import Census, EvictionBudget, Zones, ZoneState, assess, changes

CONFIG = ControllersConfig()


def nodes(ready, down, zone="a"):
    return [
        {
            "metadata": {"name": f"{zone}{i}", "labels": {"topology.kubernetes.io/zone": zone}},
            "status": {"conditions": [{"type": "Ready", "status": "True" if i < ready else "Unknown"}]},
        }
        for i in range(ready + down)
    ]


def census(*some, heard=lambda node: True):
    return assess([node for part in some for node in part], heard, CONFIG)


def state(ready, down):
    return Census(ready, down).state(CONFIG, trusting=True)


def test_a_zone_is_as_sick_as_the_share_of_its_nodes_that_is_down():
    assert state(3, 1) is ZoneState.NORMAL
    assert state(1, 2) is ZoneState.NORMAL
    assert state(2, 3) is ZoneState.PARTIAL
    assert state(0, 3) is ZoneState.FULL


def test_zones_are_judged_apart():
    both = census(nodes(3, 0), nodes(0, 3, "b"))
    assert both.by_name == {":a": Census(ready=3), ":b": Census(down=3)}
    assert not both.all_down
    assert both.eviction_rate(":b") == 0.1, "a zone that is down while others are not is emptied"
    assert census(nodes(0, 3), nodes(0, 9, "b")).eviction_rate(":a") == 0


def test_a_node_excluded_from_disruption_is_not_counted():
    down = nodes(0, 3)
    for node in down[:2]:
        node["metadata"]["labels"]["node.kubernetes.io/exclude-disruption"] = ""
    assert census(nodes(1, 0), down).by_name == {":a": Census(ready=1, down=1)}
    assert not census().all_down
    assert census().eviction_rate(":a") == 0.1


def rate(**counts):
    return Zones({"z": Census(**counts), "other": Census(ready=1)}, CONFIG).eviction_rate("z")


def test_a_small_sick_zone_stops_and_a_large_one_slows():
    assert rate(ready=4, down=1) == 0.1
    assert rate(ready=20, down=30) == 0
    assert rate(ready=20, down=31) == 0.01
    assert rate(down=51) == 0.1


def test_who_has_not_been_heard_of_yet_may_be_down_too_and_does_not_make_the_master_cut_off():
    assert rate(down=1, unheard=9) == 0
    assert rate(down=1, ready=1, unheard=8) == 0, "partly down, as far as we know"
    assert rate(down=1, ready=5, unheard=4) == 0.1
    silent = census(nodes(2, 1), heard=lambda node: False)
    assert silent.by_name == {":a": Census(down=1, unheard=2)}
    assert not silent.all_down


def test_changes_of_a_zone_are_told_once():
    normal, sick, gone = (Zones({"z": Census(*counts)}, CONFIG) for counts in ((5, 0), (2, 3), (0, 5)))
    assert list(changes(None, normal)) == []
    assert list(changes(normal, sick)) == ["zone 'z' is now PartialDisruption: 3 of 5 nodes are not ready"]
    assert list(changes(sick, sick)) == []
    assert list(changes(sick, gone)) == [
        "zone 'z' is now FullDisruption: 5 of 5 nodes are not ready",
        "no node is ready: it is likelier that the master is cut off, so no node is emptied",
    ]
    assert list(changes(gone, normal)) == ["zone 'z' is now Normal: 0 of 5 nodes are not ready"]


def test_one_node_every_ten_seconds():
    budget = EvictionBudget()
    given = []
    for now in (0, 1, 9, 10, 11, 20, 60, 61):
        wait = budget.wait(0.1, now)
        given.append(round(wait, 6))
        if wait == 0:
            budget.spend()
    assert given == [0, 9, 1, 0, 9, 0, 0, 9]
    waits = [budget.wait(0.1, 61 + second) for second in range(10)]
    assert waits[8] > 0
    assert waits[9] == 0, "ten times a tenth is one"
    budget.spend()
    assert budget.wait(0, 71) == float("inf")
