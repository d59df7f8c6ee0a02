"""The engine and the reference agree: on who can run where, on every reason and score, on whom preemption evicts.

Each seed is a cluster to which things happen; after every few of them a pending pod is asked about and placed. The
engine keeps its caches all the while, the reference answers from nothing. A disagreement is told with the smallest
world that shows it, and whether a new engine makes the same mistake (the plug-in is wrong) or not (a cache is).

SCHEDULER_SEEDS=from:to runs more (or other) seeds, SCHEDULER_STEPS longer ones.
"""

import os

import pytest
from following import Disagreement, Follower
from worlds import Scenario

FIRST, LAST = map(int, os.environ.get("SCHEDULER_SEEDS", "0:50").split(":"))
STEPS = int(os.environ.get("SCHEDULER_STEPS", "25"))


@pytest.mark.parametrize("seed", range(FIRST, LAST))
def test_engine_and_reference_agree_while_things_happen(seed):
    scenario = Scenario(seed)
    follower = Follower(scenario)
    for event in scenario.start():
        follower.follow(event)
    for step in range(STEPS):
        for _ in range(scenario.random.choice([0, 1, 1, 3])):
            for event in scenario.happen():
                follower.follow(event)
        try:
            follower.ask(scenario.pending())
        except Disagreement as found:
            pytest.fail(f"seed {seed}, step {step}: {found}", pytrace=False)
