from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sampan_runtime import syscalls

# A process of its own, as a shim is: setns(CLONE_NEWNS) is refused where a second thread shares the file system's
# state (setns(2)), and a test run has had threads by the time it comes here.
PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from sampan_runtime import syscalls
from sampan_runtime.shim.shm import SharedMemory, clones_detached

target = Path(sys.argv[3])


def in_container(memory, text):
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
    with open(read) as file:
        return file.read()


before = Path("/proc/self/mountinfo").read_text()
memory = SharedMemory(direct=sys.argv[2] == "direct" and clones_detached())
print(in_container(memory, "written by one"))
print(in_container(memory, None))
print(Path("/proc/self/mountinfo").read_text() == before)
"""


@pytest.mark.root
@pytest.mark.parametrize("way", ["direct", "before-linux-6.15"])
def test_clones_share_one_tmpfs_and_the_node_sees_no_mount(tmp_path, way):
    package = str(Path(syscalls.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, package, way, str(tmp_path)], capture_output=True, text=True
    )
    assert (done.stderr, done.stdout.splitlines()) == ("", ["written by one", "written by one", "True"])
