"""Layers are hostile input: each test names the way out that it closes."""

import io
import os
import stat
import tarfile

import pytest
from sampan_runtime.images.errors import BadImage
from sampan_runtime.images.unpack import Limits, unpack_layer


def member(name, kind=tarfile.REGTYPE, link="", mode=0o644, content=b"", **extra):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode, entry.size = kind, link, mode, len(content)
    for key, value in extra.items():
        setattr(entry, key, value)
    return entry, content


def layer(*members):
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry, content in members:
            entry.uid, entry.gid = (entry.uid or os.getuid()), (entry.gid or os.getgid())
            archive.addfile(entry, io.BytesIO(content))
    output.seek(0)
    return output


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "layer" / "fs"
    folder.mkdir(parents=True)
    return folder


def test_files_directories_and_links_are_made(target):
    unpack_layer(
        layer(
            member("./bin", tarfile.DIRTYPE, mode=0o755),
            member("bin/busybox", content=b"program", mode=0o755, mtime=1_000_000),
            member("bin/sh", tarfile.LNKTYPE, link="bin/busybox"),
            member("sh", tarfile.SYMTYPE, link="/bin/sh"),
            member("deep/without/parents", content=b"x"),
        ),
        target,
    )
    assert (target / "bin/sh").read_bytes() == b"program"
    assert (target / "bin/sh").stat().st_ino == (target / "bin/busybox").stat().st_ino
    assert (target / "bin/busybox").stat().st_mtime == 1_000_000
    assert os.readlink(target / "sh") == "/bin/sh"
    assert (target / "deep/without/parents").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "/../escape"])
def test_dot_dot_is_refused(target, name):
    with pytest.raises(BadImage, match="leads out"):
        unpack_layer(layer(member(name, content=b"x")), target)


def test_an_absolute_name_stays_inside(target):
    unpack_layer(layer(member("/etc/passwd", content=b"inside")), target)
    assert (target / "etc/passwd").read_bytes() == b"inside"


@pytest.mark.parametrize("link", ["/", "../../..", "{outside}"])
def test_writing_through_a_symbolic_link_stays_inside(target, tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = link.replace("{outside}", str(outside))
    with pytest.raises(BadImage) if "outside" in link else pytest.MonkeyPatch.context():
        unpack_layer(layer(member("out", tarfile.SYMTYPE, link=link), member("out/file", content=b"x")), target)
    assert not (tmp_path / "file").exists()
    assert not (outside / "file").exists()


def test_a_file_replaces_a_symbolic_link_instead_of_following_it(target, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    unpack_layer(layer(member("f", tarfile.SYMTYPE, link=str(victim)), member("f", content=b"new")), target)
    assert victim.read_text() == "untouched"
    assert (target / "f").read_text() == "new"


def test_a_hard_link_cannot_take_a_file_of_the_host(target, tmp_path):
    (tmp_path / "secret").write_text("s")
    with pytest.raises(BadImage):
        unpack_layer(layer(member("x", tarfile.LNKTYPE, link="../../secret")), target)
    with pytest.raises(BadImage):
        unpack_layer(layer(member("x", tarfile.LNKTYPE, link=str(tmp_path / "secret"))), target)


def test_a_hard_link_through_a_symbolic_link_stays_inside(target, tmp_path):
    (tmp_path / "secret").write_text("s")
    with pytest.raises(BadImage):
        unpack_layer(
            layer(
                member("out", tarfile.SYMTYPE, link=str(tmp_path)),
                member("x", tarfile.LNKTYPE, link="out/secret"),
            ),
            target,
        )


def test_set_id_bits_and_modes_survive_an_unprivileged_umask(target):
    unpack_layer(layer(member("su", content=b"x", mode=0o4755), member("d", tarfile.DIRTYPE, mode=0o1777)), target)
    assert stat.S_IMODE((target / "su").stat().st_mode) == 0o4755
    assert stat.S_IMODE((target / "d").stat().st_mode) == 0o1777


def test_a_directory_that_forbids_writing_still_gets_its_content(target):
    unpack_layer(layer(member("d", tarfile.DIRTYPE, mode=0o555), member("d/f", content=b"x")), target)
    assert (target / "d/f").exists()
    assert stat.S_IMODE((target / "d").stat().st_mode) == 0o555


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh..wh.aufs"])
def test_malformed_whiteouts_are_refused(target, name):
    with pytest.raises(BadImage, match="whiteout"):
        unpack_layer(layer(member(name)), target)


def test_limits_hold(target):
    with pytest.raises(BadImage, match="limits"):
        unpack_layer(layer(member("a"), member("b"), member("c")), target, Limits(members=2))
    with pytest.raises(BadImage, match="limits"):
        unpack_layer(layer(member("big", content=b"x" * 100)), target, Limits(bytes=50))


def test_absurd_depth_is_refused(target):
    with pytest.raises(BadImage, match="deep"):
        unpack_layer(layer(member("a/" * 500 + "f", content=b"x")), target)


def test_garbage_is_a_bad_image(target):
    with pytest.raises(BadImage):
        unpack_layer(io.BytesIO(b"this is no tar" * 100), target)


@pytest.mark.root
def test_whiteouts_become_overlays_own(target):
    unpack_layer(layer(member("etc/.wh.gone"), member("var/.wh..wh..opq"), member("null", tarfile.CHRTYPE)), target)
    found = (target / "etc/gone").stat()
    assert stat.S_ISCHR(found.st_mode)
    assert found.st_rdev == 0
    assert os.getxattr(target / "var", "trusted.overlay.opaque") == b"y"


@pytest.mark.root
def test_an_owner_beyond_31_bits_is_refused(target):
    with pytest.raises(BadImage, match="out of range"):
        unpack_layer(layer(member("f", content=b"x", uid=4294967295)), target)
