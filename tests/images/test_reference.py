import pytest
from sampan_runtime.images.errors import InvalidReference
from sampan_runtime.images.reference import parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.35", "docker.io/library/busybox:1.35"),
        ("team/app", "docker.io/team/app:latest"),
        ("localhost/app:v1", "localhost/app:v1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("quay.io/team/deep/app:v1", "quay.io/team/deep/app:v1"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"busybox:1.35@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
    ],
)
def test_short_names_are_completed_as_docker_does(text, full):
    assert str(parse(text)) == full


@pytest.mark.parametrize(
    "text", ["", "Busybox", "a//b", "busybox:", "busybox@", "busybox@sha256:12", "-x/y", "a/../b", "b ox"]
)
def test_what_is_no_name_is_refused(text):
    with pytest.raises(InvalidReference):
        parse(text)
