from __future__ import annotations

import base64

import pytest
from agent_pods import pod
from sampan_agent.env import NodeFacts, build_env, expand, field_value
from sampan_agent.errors import ConfigError, ObjectUnavailable

NODE = NodeFacts("n1", "10.77.0.11", 2000, 1024**3)
IPS = ("10.244.0.2",)
OBJECTS = {
    ("ConfigMap", "cm"): {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}},
    ("Secret", "s"): {"kind": "Secret", "data": {"k": base64.b64encode(b"hidden").decode()}},
}


async def read(kind, namespace, name):
    try:
        return OBJECTS[kind, name]
    except KeyError:
        raise ObjectUnavailable(f'{kind.lower()} "{name}" not found', missing=True) from None


async def env(*variables, **container):
    spec = pod({"name": "a", "env": list(variables), **container})
    return await build_env(spec, spec.main_containers[0], read, IPS, NODE)


def test_expansion_follows_references_and_leaves_the_rest():
    known = {"A": "x"}
    assert expand("$(A)-$(B)-$$(A)-$A", known) == "x-$(B)-$(A)-$A"


async def test_values_see_the_variables_before_them():
    assert await env({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}) == {"A": "1", "B": "12"}


async def test_sources():
    got = await env(
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CM", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "a"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "zz", "key": "k", "optional": True}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        envFrom=[{"configMapRef": {"name": "cm"}, "prefix": "X_"}],
        resources={"limits": {"memory": "100Mi"}},
    )
    assert got == {
        "X_a": "1", "X_b": "2", "NODE": "n1", "IP": "10.244.0.2", "CM": "1", "SECRET": "hidden", "CPU": "2",
        "MEM": "100",
    }  # fmt: skip


async def test_missing_object_and_key_are_told_apart():
    with pytest.raises(ConfigError, match='configmap "zz" not found'):
        await env({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "zz", "key": "a"}}})
    with pytest.raises(ConfigError, match="couldn't find key q in ConfigMap default/cm"):
        await env({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "q"}}})


def test_labels_by_name_and_as_a_file():
    spec = pod("a", metadata={"labels": {"b": 'x"y', "a": "1"}})
    assert field_value(spec, "metadata.labels['a']", IPS, NODE) == "1"
    assert field_value(spec, "metadata.labels", IPS, NODE) == 'a="1"\nb="x\\"y"'
