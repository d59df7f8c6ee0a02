"""What a terminating namespace says, without a cluster."""

from sampan_api.client import CONFIGMAPS, REPLICASETS
from sampan_master.controllers.namespace_conditions import draining_conditions


def obj(*finalizers):
    return {"metadata": {"name": "x", "finalizers": list(finalizers)}}


def told(namespace, *found, now="now"):
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in draining_conditions(namespace, *found, now)}


def test_what_remains_and_what_holds_it_is_counted():
    said = told({}, {REPLICASETS: [obj("x.io/b")], CONFIGMAPS: [obj(), obj("x.io/a", "x.io/b")]}, [])
    assert said == {
        "NamespaceDeletionDiscoveryFailure": (
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        "NamespaceContentRemaining": (
            "True",
            "SomeResourcesRemain",
            "Some resources are remaining: configmaps. has 2 resource instances,"
            " replicasets.apps has 1 resource instances",
        ),
        "NamespaceFinalizersRemaining": (
            "True",
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: x.io/a in 1 resource instances,"
            " x.io/b in 2 resource instances",
        ),
    }


def test_what_could_not_be_deleted_is_told():
    said = told({}, {CONFIGMAPS: [obj()]}, ["no", "never"])
    assert said["NamespaceDeletionContentFailure"] == (
        "True",
        "ContentDeletionFailed",
        "Failed to delete all resource types, 2 remaining: no, never",
    )
    assert said["NamespaceFinalizersRemaining"][0] == "False"


def test_conditions_of_others_stay_and_times_change_with_the_status_only():
    first = draining_conditions({"status": {"conditions": [{"type": "Mine"}]}}, {CONFIGMAPS: [obj()]}, [], "then")
    again = draining_conditions({"status": {"conditions": first}}, {CONFIGMAPS: [obj("x.io/a")]}, [], "now")
    assert again[0] == {"type": "Mine"}
    assert {c["type"]: c.get("lastTransitionTime") for c in again[1:]} == {
        "NamespaceDeletionDiscoveryFailure": "then",
        "NamespaceDeletionGroupVersionParsingFailure": "then",
        "NamespaceDeletionContentFailure": "then",
        "NamespaceContentRemaining": "then",
        "NamespaceFinalizersRemaining": "now",
    }
