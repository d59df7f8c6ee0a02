import gzip
import hashlib
import io
import json
import tarfile

import pytest
from sampan_runtime.images import archive
from sampan_runtime.images.builtin import REFERENCES, ensure_busybox
from sampan_runtime.images.errors import BadImage
from sampan_runtime.images.store import ImageStore


def tar(files):
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as out:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    return output.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def oci_layout(name="example.org/app:v1", content=b"hello", compress=True, corrupt=False):
    inner = tar({"greeting": content})
    layer = gzip.compress(inner, mtime=0) if compress else inner
    config = json.dumps({"config": {"Cmd": ["sh"]}, "rootfs": {"type": "layers", "diff_ids": [digest(inner)]}}).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"digest": digest(config), "size": len(config)},
            "layers": [{"digest": digest(layer), "size": len(layer)}],
        }
    ).encode()
    index = {
        "manifests": [
            {
                "digest": digest(manifest),
                "size": len(manifest),
                "annotations": {"org.opencontainers.image.ref.name": name},
            }
        ]
    }
    blobs = {digest(blob): blob for blob in (layer, config, manifest)}
    if corrupt:
        blobs[digest(layer)] = layer[:-1] + b"X"
    files = {f"blobs/sha256/{key[7:]}": blob for key, blob in blobs.items()}
    return tar({"oci-layout": b"{}", "index.json": json.dumps(index).encode(), **files})


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path / "images")


def imported(store, tmp_path, data, names=()):
    file = tmp_path / "image.tar"
    file.write_bytes(data)
    return archive.import_archive(store, file, names)


@pytest.mark.root
@pytest.mark.parametrize("compress", [True, False])
def test_an_oci_layout_is_imported_and_found_again_after_a_restart(store, tmp_path, compress):
    (image,) = imported(store, tmp_path, oci_layout(compress=compress))
    again = ImageStore(store.root)
    assert again.find("example.org/app:v1") == image
    assert again.find(image.id) == image
    assert again.find(image.id[7:19]) == image
    assert again.find(image.digests[0]) == image
    (folder,) = again.layer_paths(image)
    with open(f"{folder}/greeting") as file:
        assert file.read() == "hello"


@pytest.mark.root
def test_a_docker_archive_is_imported(store, tmp_path):
    inner = tar({"greeting": b"hi"})
    config = json.dumps({"rootfs": {"diff_ids": [digest(inner)]}}).encode()
    listing = json.dumps([{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["l/layer.tar"]}]).encode()
    (image,) = imported(store, tmp_path, tar({"manifest.json": listing, "c.json": config, "l/layer.tar": inner}))
    assert image.tags == ("docker.io/library/app:1",)


def test_a_blob_with_another_digest_is_refused_and_leaves_no_image(store, tmp_path):
    with pytest.raises(BadImage, match="digest"):
        imported(store, tmp_path, oci_layout(corrupt=True))
    assert store.images() == []
    assert list((store.root / "layers").iterdir()) == []


@pytest.mark.root
def test_a_tag_moves_to_the_newer_image(store, tmp_path):
    (old,) = imported(store, tmp_path, oci_layout(content=b"old"))
    (new,) = imported(store, tmp_path, oci_layout(content=b"new"))
    assert store.find("example.org/app:v1") == new
    assert store.find(old.id).tags == ()


@pytest.mark.root
def test_removing_sweeps_blobs_and_layers_but_not_those_in_use(store, tmp_path):
    (image,) = imported(store, tmp_path, oci_layout())
    layers = store.layer_paths(image)
    assert store.remove(image.id, layers)
    assert list((store.root / "blobs/sha256").iterdir()) == []
    assert [f"{folder}/fs" for folder in (store.root / "layers").iterdir()] == list(layers)
    assert not store.remove(image.id)


@pytest.mark.root
def test_the_built_in_busybox_is_the_same_on_every_node(tmp_path):
    first = ensure_busybox(ImageStore(tmp_path / "one"))
    second = ensure_busybox(ImageStore(tmp_path / "two"))
    assert first == second
    assert set(first.tags) == set(REFERENCES)
    assert first.built_in


@pytest.mark.root
def test_the_built_in_busybox_has_its_applets(store):
    image = ensure_busybox(store)
    (folder,) = store.layer_paths(image)
    with open(f"{folder}/bin/sh", "rb") as shell, open("/bin/busybox", "rb") as busybox:
        assert shell.read() == busybox.read()
