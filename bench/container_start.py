"""Starting a sandbox and a container that runs /bin/true until it is reaped, and an exec, against `runc run`.

Both get the same busybox root, namespaces and default isolation; ours has a veth on a bridge besides. Runs are
interleaved with a pause before each, because a tight loop hides what a cold kernel lock costs.
Needs root, runc and a static busybox.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from sampan_runtime import cgroups, security, syscalls
from sampan_runtime.network import netlink
from sampan_runtime.shim import client
from sampan_runtime.spec import Cgroup, ContainerSpec, ExecSpec, Network, SandboxSpec, Security

PAUSE_SECONDS = 0.05
CGROUP = f"/sampan-bench-{os.getpid()}"
MEMORY, PIDS = 128 << 20, 256
ENV = ("PATH=/bin",)


def make_image(directory: Path) -> None:
    (directory / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", directory / "bin/busybox")
    for name in ("true", "sleep", "sh"):
        (directory / "bin" / name).symlink_to("busybox")


def make_bundle(directory: Path, image: Path) -> None:
    directory.mkdir()
    subprocess.run(["runc", "spec", "-b", str(directory)], check=True)
    config = json.loads((directory / "config.json").read_text())
    config["process"] |= {"args": ["/bin/true"], "terminal": False, "env": list(ENV)}
    config["process"].pop("rlimits", None)
    config["root"] = {"path": str(image), "readonly": False}
    config["linux"]["resources"] |= {"memory": {"limit": MEMORY}, "pids": {"limit": PIDS}}
    config["linux"]["cgroupsPath"] = f"{CGROUP}/runc"
    (directory / "config.json").write_text(json.dumps(config))


def container(base: Path, image: Path, id: str, *args: str) -> ContainerSpec:
    directory = base / id
    for name in ("upper", "work"):
        (directory / name).mkdir(parents=True)
    return ContainerSpec(
        id=id,
        directory=str(directory),
        lower=(str(image),),
        upper=str(directory / "upper"),
        work=str(directory / "work"),
        args=args,
        env=ENV,
        cwd="/",
        cgroup=Cgroup(f"{CGROUP}/{id}", memory_limit=MEMORY, pids_limit=PIDS),
        security=Security(
            capabilities=security.DOCKER_CAPABILITIES,
            masked_paths=security.MASKED_PATHS,
            read_only_paths=security.READ_ONLY_PATHS,
        ),
    )


async def run_container(shim: client.Shim, spec: ContainerSpec) -> None:
    await shim.create_container(spec)
    await shim.start_container(spec.id)
    async for _ in shim.events:
        return


def run_runc(bundle: Path, name: str) -> float:
    begin = time.perf_counter()
    subprocess.run(["runc", "run", "-b", str(bundle), name], check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - begin


def report(name: str, samples: list[float], peer: float | None = None) -> float:
    middle = statistics.median(samples)
    high = sorted(samples)[int(len(samples) * 0.95)]
    ratio = f"   {middle / peer:.2f} x runc" if peer else ""
    print(f"{name:<28} p50 {middle * 1e3:6.1f} ms   p95 {high * 1e3:6.1f} ms{ratio}", flush=True)
    return middle


async def measure(base: Path, rounds: int) -> None:
    image, bundle = base / "image", base / "bundle"
    make_image(image)
    make_bundle(bundle, image)
    zygote = await client.Zygote.start(base)
    times: dict[str, list[float]] = {name: [] for name in ("runc", "sandbox", "both", "container", "exec")}
    for index in range(rounds):
        await asyncio.sleep(PAUSE_SECONDS)
        times["runc"].append(await asyncio.to_thread(run_runc, bundle, f"bench{os.getpid()}-{index}"))
        spec = container(base, image, f"first{index}", "/bin/true")
        network = Network("br-bench", f"bench{index}", f"10.9.{index // 200}.{index % 200 + 2}/16", "10.9.0.1")
        sandbox = SandboxSpec(f"s{index}", str(base / f"s{index}"), "bench", Cgroup(CGROUP), network)
        await asyncio.sleep(PAUSE_SECONDS)
        begin = time.perf_counter()
        shim = await zygote.create_sandbox(sandbox)
        times["sandbox"].append(time.perf_counter() - begin)
        await run_container(shim, spec)
        times["both"].append(time.perf_counter() - begin)
        spec = container(base, image, f"second{index}", "/bin/true")
        await asyncio.sleep(PAUSE_SECONDS)
        begin = time.perf_counter()
        await run_container(shim, spec)
        times["container"].append(time.perf_counter() - begin)
        await shim.create_container(container(base, image, f"third{index}", "/bin/sleep", "100"))
        await shim.start_container(f"third{index}")
        await asyncio.sleep(PAUSE_SECONDS)
        begin = time.perf_counter()
        await shim.exec_sync(f"third{index}", ExecSpec(("/bin/true",), ENV, "/"), 10)
        times["exec"].append(time.perf_counter() - begin)
        for name in ("first", "second", "third"):
            await shim.remove_container(f"{name}{index}")
        await shim.stop()
    await zygote.stop()
    peer = report("runc run", times["runc"])
    report("sandbox", times["sandbox"], peer)
    report("sandbox + container", times["both"], peer)
    report("container in a sandbox", times["container"], peer)
    report("exec", times["exec"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    syscalls.unshare(syscalls.CLONE_NEWNET)
    with netlink.Netlink() as node:
        node.run([netlink.set_up(1), netlink.new_bridge("br-bench")])
        node.run([netlink.new_address(socket.if_nametoindex("br-bench"), "10.9.0.1/16")])
    with tempfile.TemporaryDirectory(prefix="sb") as base:
        try:
            asyncio.run(measure(Path(base), rounds))
        finally:
            hierarchies = cgroups.detect()
            cgroups.kill(hierarchies, CGROUP)
            cgroups.remove(hierarchies, CGROUP)
            # runc also uses hierarchies that we leave alone.
            for left in Path("/sys/fs/cgroup").glob(f"*{CGROUP}"):
                left.rmdir()


if __name__ == "__main__":
    main()
