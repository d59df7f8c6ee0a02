"""Volumes of a pod: the files that are made of other objects, and where they may lie."""

from typing import Any

import pytest
from sampan_master.apiserver.validation.volumes import validate_volumes

FIELD = {"apiVersion": "v1", "fieldPath": "metadata.name"}
MODE = "must be a number between 0 and 0777 (octal), both inclusive"
AT = "spec.volumes[0]"


def refused(**source: Any) -> list[str]:
    return [str(error) for error in validate_volumes([{"name": "v", **source}], "spec.volumes")]


def projected(*sources: dict[str, Any]) -> list[str]:
    return refused(projected={"sources": list(sources)})


def file(path: str, **more: Any) -> dict[str, Any]:
    return {"items": [{"path": path, "fieldRef": FIELD, **more}]}


def test_every_file_has_permission_bits_that_exist() -> None:
    assert refused(downwardAPI=file("a", mode=0o1000)) == [f"{AT}.downwardAPI.mode: Invalid value: 512: {MODE}"]
    items = [{"key": "k", "path": "a", "mode": -1}]
    assert refused(configMap={"name": "c", "items": items}) == [
        f"{AT}.configMap.items[0].mode: Invalid value: -1: {MODE}"
    ]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", ["Required value"]),
        ("/etc/passwd", ['Invalid value: "/etc/passwd": must be a relative path']),
        ("a/../b", ["Invalid value: \"a/../b\": must not contain '..'"]),
        ("..data", ["Invalid value: \"..data\": must not start with '..'"]),
        (
            "..",
            ["Invalid value: \"..\": must not contain '..'", "Invalid value: \"..\": must not start with '..'"],
        ),
    ],
)
def test_a_file_stays_in_its_volume_and_away_from_what_the_node_keeps_there(path: str, said: list[str]) -> None:
    expected = [f"{AT}.projected.path: {text}" for text in said]
    assert projected({"serviceAccountToken": {"path": path}}) == expected
    assert refused(downwardAPI=file(path)) == [text.replace("projected", "downwardAPI") for text in expected]


def test_a_token_lasts_ten_minutes_at_least() -> None:
    said = "Invalid value: 599: may not specify a duration less than 10 minutes"
    assert projected({"serviceAccountToken": {"path": "token", "expirationSeconds": 599}}) == [
        f"{AT}.projected.sources[0].serviceAccountToken.expirationSeconds: {said}"
    ]


def test_two_sources_cannot_make_one_file() -> None:
    secret = {"secret": {"name": "s", "items": [{"key": "k", "path": "a"}]}}
    config = {"configMap": {"name": "c", "items": [{"key": "k", "path": "a"}]}}
    assert projected(secret, config, {"downwardAPI": file("a")}) == [
        f'{AT}.projected: Invalid value: "c": conflicting duplicate paths',
        f'{AT}.projected: Invalid value: "a": conflicting duplicate paths',
    ]
    assert projected({**secret, "downwardAPI": file("b")}) == [
        f"{AT}.projected.sources[0]: Forbidden: may not specify more than 1 volume type"
    ]
