import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sampan_runtime import cgroups

sys.path.insert(0, str(Path(__file__).parent))
from shim_node import Node, make_image, zygote_in_new_netns


@pytest.fixture
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    base = tmp_path_factory.mktemp("n")
    make_image(base / "image")
    cgroup = f"/sampan-test-shim-{os.getpid()}"
    node = Node(base, await zygote_in_new_netns(base), cgroup)
    try:
        yield node
    finally:
        for shim in node.shims:
            await shim.stop()
        for watcher in node.watchers:
            await watcher
        await node.zygote.stop()
        hierarchies = cgroups.detect()
        cgroups.kill(hierarchies, cgroup)
        assert cgroups.remove(hierarchies, cgroup)
        assert not (base / "zygote.log").read_text()
