"""Two masters that both believe they lead: no harm, and the same end as with one."""

import asyncio
from dataclasses import replace

import pytest
import test_budget_faults
import test_garbage_faults
import test_namespace_content
import test_namespace_faults
import test_node_cidrs
import test_node_faults
import test_pod_gc_faults
from faults import live

SCENARIOS = {
    "budgets": test_budget_faults.SCENARIO,
    "garbage": test_garbage_faults.SCENARIO,
    "namespace content": test_namespace_content.SCENARIO,
    "namespaces": test_namespace_faults.SCENARIO,
    "node CIDRs": test_node_cidrs.SCENARIO,
    "nodes that fall": test_node_faults.FALL,
    "nodes that fall silent": test_node_faults.SILENCE,
    "pod gc": test_pod_gc_faults.SCENARIO,
}


def twice(start):
    async def start_two(client, clock):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(start(client, clock))
            await clock.sleep(0.3)
            tasks.create_task(start(client, clock))

    return start_two


@pytest.mark.parametrize("name", SCENARIOS)
async def test_two_do_what_one_does(name):
    scenario = SCENARIOS[name]
    one, two = await live(scenario), await live(replace(scenario, start=twice(scenario.start)))
    assert two.end == one.end
