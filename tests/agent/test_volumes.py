from __future__ import annotations

import base64
import os
import stat

import pytest
from agent_pods import pod
from sampan_agent import volumes
from sampan_agent.env import NodeFacts
from sampan_agent.errors import ObjectUnavailable, UnsafePath, VolumeError
from sampan_agent.mountcalls import mounted_below
from sampan_agent.payload import Sources
from sampan_agent.tokens import Token
from sampan_agent.volumes import pin_sub_path

OBJECTS = {
    "cm": {"kind": "ConfigMap", "data": {"a": "1", "b": "2"}},
    "s": {"kind": "Secret", "data": {"k": base64.b64encode(b"hidden").decode()}},
}


async def read(kind, namespace, name):
    if name not in OBJECTS:
        raise ObjectUnavailable(f'{kind.lower()} "{name}" not found', missing=True)
    return OBJECTS[name]


async def token(wanted):
    return Token(f"{wanted.audience or 'api'} {wanted.seconds}", 0.0)


async def prepare(directory, *given, **spec):
    made = pod("a", volumes=list(given), **spec)
    sources = Sources(made, read, token, NodeFacts("n1", "10.77.0.11", 2000, 1 << 30))
    return await volumes.prepare(made, directory, sources)


async def test_empty_dir_is_for_everybody_and_kept(tmp_path):
    paths = await prepare(tmp_path, {"name": "v", "emptyDir": {}})
    assert stat.S_IMODE(os.stat(paths["v"]).st_mode) == 0o777
    (tmp_path / "volumes/v/x").write_text("kept")
    await prepare(tmp_path, {"name": "v", "emptyDir": {}})
    assert (tmp_path / "volumes/v/x").read_text() == "kept"


@pytest.mark.parametrize(
    ("type_", "complaint"),
    [
        ("Directory", "does not exist"),
        ("File", "does not exist"),
        ("Socket", "does not exist"),
    ],
)
async def test_host_path_of_a_type_must_be_there(tmp_path, type_, complaint):
    with pytest.raises(VolumeError, match=complaint):
        await prepare(tmp_path, {"name": "v", "hostPath": {"path": str(tmp_path / "zz"), "type": type_}})


async def test_host_path_is_made_when_asked_for_and_refused_when_it_is_something_else(tmp_path):
    await prepare(tmp_path, {"name": "v", "hostPath": {"path": str(tmp_path / "d"), "type": "DirectoryOrCreate"}})
    await prepare(tmp_path, {"name": "v", "hostPath": {"path": str(tmp_path / "f"), "type": "FileOrCreate"}})
    assert (tmp_path / "d").is_dir()
    assert (tmp_path / "f").is_file()
    with pytest.raises(VolumeError, match="is not a directory"):
        await prepare(tmp_path, {"name": "v", "hostPath": {"path": str(tmp_path / "f"), "type": "Directory"}})


async def test_config_map_items_choose_paths_and_modes(tmp_path):
    source = {"name": "cm", "items": [{"key": "a", "path": "d/x", "mode": 0o400}]}
    paths = await prepare(tmp_path, {"name": "v", "configMap": source})
    made = tmp_path / "volumes/v/d/x"
    assert (paths["v"], made.read_text()) == (str(tmp_path / "volumes/v"), "1")
    assert stat.S_IMODE(made.stat().st_mode) == 0o400
    with pytest.raises(VolumeError, match="non-existent"):
        await prepare(tmp_path, {"name": "v", "configMap": {"name": "cm", "items": [{"key": "q", "path": "q"}]}})


async def test_missing_object_is_an_error_unless_optional(tmp_path):
    with pytest.raises(VolumeError, match=r'MountVolume.SetUp failed for volume "v" : configmap "zz" not found'):
        await prepare(tmp_path, {"name": "v", "configMap": {"name": "zz"}})
    await prepare(tmp_path, {"name": "w", "configMap": {"name": "zz", "optional": True}})
    assert (tmp_path / "volumes/w").is_dir()


async def test_downward_api_and_projection(tmp_path):
    name = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
    sources = [{"configMap": {"name": "cm"}}, {"downwardAPI": {"items": [name]}}]
    await prepare(tmp_path, {"name": "v", "projected": {"sources": sources}})
    content = {n: (tmp_path / "volumes/v" / n).read_text() for n in ("a", "b", "name")}
    assert content == {"a": "1", "b": "2", "name": "p1"}


async def test_a_volume_keeps_what_it_has_while_the_master_is_away(tmp_path):
    async def away(kind, namespace, name):
        raise ObjectUnavailable("the master is away")

    volume = {"name": "v", "configMap": {"name": "cm"}}
    await prepare(tmp_path, volume)
    made = pod("a", volumes=[volume])
    sources = Sources(made, away, token, NodeFacts("n1", "10.77.0.11", 2000, 1 << 30))
    await volumes.prepare(made, tmp_path, sources)
    assert (tmp_path / "volumes/v/a").read_text() == "1"
    with pytest.raises(VolumeError, match="the master is away"):
        await volumes.prepare(made, tmp_path / "elsewhere", sources)


async def test_a_projected_token_lies_beside_the_rest(tmp_path):
    asked = {"path": "t/token", "expirationSeconds": 3607}
    vault = {"path": "vault", "audience": "vault", "expirationSeconds": 600}
    sources = [{"serviceAccountToken": asked}, {"serviceAccountToken": vault}, {"configMap": {"name": "cm"}}]
    await prepare(tmp_path, {"name": "v", "projected": {"sources": sources}})
    try:
        content = {n: (tmp_path / "volumes/v" / n).read_text() for n in ("t/token", "vault", "a")}
        assert content == {"t/token": "api 3607", "vault": "vault 600", "a": "1"}
    finally:
        volumes.remove(tmp_path)


@pytest.mark.root
async def test_a_token_belongs_to_the_user_or_group_of_the_pod(tmp_path):
    volume = {
        "name": "v",
        "projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]},
    }
    for name, context, expected in (
        ("anybody", {}, (0, 0, 0o644)),
        ("user", {"runAsUser": 4241}, (4241, 0, 0o600)),
        ("group", {"fsGroup": 4242}, (0, 4242, 0o640)),
    ):
        directory = tmp_path / name
        await prepare(directory, volume, securityContext=context)
        try:
            state = os.stat(directory / "volumes/v/token")
            assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == expected
        finally:
            volumes.remove(directory)


async def test_volume_kind_this_node_has_not_is_said_so(tmp_path):
    with pytest.raises(VolumeError, match="persistentVolumeClaim is not supported"):
        await prepare(tmp_path, {"name": "v", "persistentVolumeClaim": {"claimName": "x"}})


@pytest.mark.root
async def test_memory_and_secrets_are_tmpfs_and_go_with_the_pod(tmp_path):
    directory = tmp_path / "pod"
    memory = {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    await prepare(directory, memory, {"name": "s", "secret": {"secretName": "s"}})
    try:
        assert mounted_below(str(directory)) == [str(directory / "volumes/s"), str(directory / "volumes/m")]
        assert (directory / "volumes/s/k").read_text() == "hidden"
        with pytest.raises(OSError, match="No space left"):
            (directory / "volumes/m/x").write_bytes(bytes(2 << 20))
    finally:
        volumes.remove(directory)
    assert not directory.exists()
    assert mounted_below(str(directory)) == []


@pytest.mark.root
async def test_fs_group_owns_the_volumes(tmp_path):
    await prepare(tmp_path, {"name": "v", "emptyDir": {}}, securityContext={"fsGroup": 4242})
    state = os.stat(tmp_path / "volumes/v")
    assert (state.st_gid, stat.S_IMODE(state.st_mode)) == (4242, 0o2777)


@pytest.mark.root
def test_pinned_sub_path_stays_what_it_was_when_the_container_swaps_it(tmp_path):
    volume, pinned = tmp_path / "volume", tmp_path / "pinned"
    volume.mkdir()
    try:
        path = pin_sub_path(str(volume), "data", pinned, read_only=False)
        (volume / "data" / "x").write_text("inside")
        (volume / "data").rename(volume / "old")
        (volume / "data").symlink_to("/etc")
        assert os.listdir(path) == ["x"]
        with pytest.raises(UnsafePath):
            pin_sub_path(str(volume), "data", tmp_path / "other", read_only=False)
    finally:
        volumes.remove(pinned)
