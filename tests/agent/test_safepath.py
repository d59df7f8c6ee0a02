from __future__ import annotations

import pytest
from sampan_agent.errors import UnsafePath
from sampan_agent.safepath import make_beneath


def test_inside_is_made_once(tmp_path):
    for _ in range(2):
        make_beneath(str(tmp_path), "a/b", 0o755)
    assert (tmp_path / "a" / "b").is_dir()


def test_symlink_that_stays_inside_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    make_beneath(str(tmp_path), "link/x", 0o755)
    assert (tmp_path / "real" / "x").is_dir()


@pytest.mark.parametrize("target", ["/etc", "..", "../../etc", "/proc/self/root"])
def test_symlink_that_leads_out_is_refused(tmp_path, target):
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "link").symlink_to(target)
    with pytest.raises(UnsafePath):
        make_beneath(str(volume), "link/x", 0o755)


def test_dots_are_refused(tmp_path):
    with pytest.raises(UnsafePath):
        make_beneath(str(tmp_path), "../x", 0o755)
