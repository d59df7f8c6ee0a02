from __future__ import annotations

import os

import pytest
from sampan_agent.atomic import File, write_payload
from sampan_agent.errors import VolumeError


def visible(directory):
    return {p.name: p.read_text() for p in directory.iterdir() if not p.name.startswith("..")}


def test_content_changes_as_a_whole_and_old_names_go(tmp_path):
    assert write_payload(tmp_path, {"a": File(b"1", 0o644), "b": File(b"2", 0o600)})
    first = os.readlink(tmp_path / "..data")
    assert visible(tmp_path) == {"a": "1", "b": "2"}
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert write_payload(tmp_path, {"a": File(b"9", 0o644), "c": File(b"3", 0o644)})
    assert visible(tmp_path) == {"a": "9", "c": "3"}
    assert not (tmp_path / first).exists()


def test_same_content_is_not_written_again(tmp_path):
    payload = {"a": File(b"1", 0o644)}
    write_payload(tmp_path, payload)
    before = os.readlink(tmp_path / "..data")
    assert not write_payload(tmp_path, payload)
    assert os.readlink(tmp_path / "..data") == before


def test_files_may_lie_in_directories(tmp_path):
    write_payload(tmp_path, {"d/e": File(b"1", 0o400)})
    assert (tmp_path / "d" / "e").read_text() == "1"
    assert (tmp_path / "d" / "e").stat().st_mode & 0o777 == 0o400


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "..data", ""])
def test_paths_that_lead_out_are_refused(tmp_path, path):
    with pytest.raises(VolumeError):
        write_payload(tmp_path, {path: File(b"", 0o644)})
