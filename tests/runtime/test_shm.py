from __future__ import annotations

import os
from pathlib import Path

import pytest
from sampan_runtime import syscalls
from sampan_runtime.shim.shm import SharedMemory


def in_container(memory: SharedMemory, target: Path, text: str | None) -> str:
    """Attach a clone in a mount namespace of its own; write `text`, or read what is there."""
    tree = memory.tree()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
            syscalls.move_mount(tree, os.open(target, os.O_PATH))
            if text is not None:
                (target / "x").write_text(text)
            os.write(write, (target / "x").read_bytes())
        finally:
            os._exit(0)
    os.close(write)
    os.close(tree)
    os.waitpid(pid, 0)
    with open(read, "rb") as file:
        return file.read().decode()


@pytest.mark.root
@pytest.mark.parametrize("direct", [True, False], ids=["linux-6.15", "before"])
def test_clones_share_one_tmpfs_and_the_node_sees_no_mount(tmp_path, direct):
    before = Path("/proc/self/mountinfo").read_text()
    cwd = os.getcwd()
    memory = SharedMemory(direct)
    assert in_container(memory, tmp_path, "shared") == "shared"
    assert in_container(memory, tmp_path, None) == "shared"
    assert Path("/proc/self/mountinfo").read_text() == before
    os.chdir(cwd)
