from __future__ import annotations

import pytest
from sampan_agent.errors import UnsafePath
from sampan_agent.safepath import make_beneath, resolve_beneath


def test_inside_is_found_and_made(tmp_path):
    make_beneath(str(tmp_path), "a/b", 0o755)
    assert resolve_beneath(str(tmp_path), "a/b") == str(tmp_path / "a" / "b")


def test_symlink_that_stays_inside_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert resolve_beneath(str(tmp_path), "link") == str(tmp_path / "real")


@pytest.mark.parametrize("target", ["/etc", "..", "../../etc", "/proc/self/root"])
def test_symlink_that_leads_out_is_refused(tmp_path, target):
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "link").symlink_to(target)
    with pytest.raises(UnsafePath):
        resolve_beneath(str(volume), "link")
    with pytest.raises(UnsafePath):
        make_beneath(str(volume), "link/x", 0o755)


def test_dots_are_refused(tmp_path):
    with pytest.raises(UnsafePath):
        make_beneath(str(tmp_path), "../x", 0o755)
