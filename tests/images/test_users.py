import os

import pytest
from sampan_runtime.images.errors import BadImage
from sampan_runtime.images.users import User, resolve_user


@pytest.fixture
def layer(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "root:x:0:0:r:/root:/bin/sh\nweb:x:33:34:w:/www:/bin/sh\nbad:x:99999999999:1::/:\n"
    )
    (tmp_path / "etc/group").write_text("root:x:0:\nstaff:x:50:web,other\nbroken\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("user", "group", "expected"),
    [
        ("", "", User(0, 0, (), "/root")),
        ("web", "", User(33, 34, (50,), "/www")),
        ("33", "", User(33, 34, (50,), "/www")),
        ("web:staff", "", User(33, 50, (), "/www")),
        ("1234", "", User(1234, 0, (), "/")),
        ("1234:5678", "", User(1234, 5678, (), "/")),
        ("web", "7", User(33, 7, (50,), "/www")),
    ],
)
def test_names_and_numbers_are_resolved_by_the_images_own_files(layer, user, group, expected):
    assert resolve_user([layer], user, group) == expected


@pytest.mark.parametrize("user", ["nosuch", "bad", "4294967295", "-1", "web:nosuch"])
def test_what_cannot_be_resolved_never_becomes_root(layer, user):
    with pytest.raises(BadImage):
        resolve_user([layer], user)


def test_a_passwd_that_points_out_of_the_image_is_not_followed(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "outside").write_text("evil:x:0:0::/:\n")
    os.symlink("/proc/1/root/etc/passwd", tmp_path / "etc/passwd")
    with pytest.raises(BadImage):
        resolve_user([str(tmp_path)], "evil")


def test_the_topmost_layer_decides(tmp_path, layer):
    upper = tmp_path / "upper"
    (upper / "etc").mkdir(parents=True)
    (upper / "etc/passwd").write_text("web:x:44:44:::\n")
    assert resolve_user([str(upper), layer], "web").uid == 44


def test_an_image_without_passwd_has_root_only(tmp_path):
    assert resolve_user([str(tmp_path)], "").uid == 0
    with pytest.raises(BadImage):
        resolve_user([str(tmp_path)], "web")
