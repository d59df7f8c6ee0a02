"""What a request asks for, by its path alone."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from sampan_master.apiserver.auth.attributes import asked


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /api/v1/pods", ("list", "", "pods", "", "", "")),
        ("GET /api/v1/pods?watch=1", ("watch", "", "pods", "", "", "")),
        ("GET /api/v1/watch/namespaces/ct/pods", ("watch", "", "pods", "", "ct", "")),
        ("GET /api/v1/namespaces/ct/pods/web/log", ("get", "", "pods", "log", "ct", "web")),
        ("GET /api/v1/namespaces/ct", ("get", "", "namespaces", "", "ct", "ct")),
        ("PUT /api/v1/namespaces/ct/finalize", ("update", "", "namespaces", "finalize", "ct", "ct")),
        ("DELETE /apis/apps/v1/namespaces/ct/replicasets", ("deletecollection", "apps", "replicasets", "", "ct", "")),
        ("PATCH /apis/apps/v1/namespaces/ct/replicasets/r", ("patch", "apps", "replicasets", "", "ct", "r")),
        ("GET /api/v1/nodes?fieldSelector=metadata.name%3Dn1", ("list", "", "nodes", "", "", "n1")),
        ("POST /api/v1/namespaces/", ("create", "", "namespaces", "", "", "")),
    ],
)
def test_a_resource_path_names_verb_group_resource_namespace_and_name(
    request_line: str, expected: tuple[str, ...]
) -> None:
    method, _, target = request_line.partition(" ")
    path, _, query = target.partition("?")
    found = asked(method, path, parse_qs(query))
    assert (found.verb, found.group, found.resource, found.subresource, found.namespace, found.name) == expected


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1/", "/openapi/v2"])
def test_every_other_path_is_asked_for_as_itself(path: str) -> None:
    found = asked("GET", path, {})
    assert (found.verb, found.path, found.resource) == ("get", path, "")
