"""ExecSync, and the three calls that hand out a URL of the streaming server: Exec, Attach, PortForward."""

from __future__ import annotations

from cri_api.v1 import api_pb2 as cri

from sampan_runtime.cri.container_verbs import ready_shim, running
from sampan_runtime.cri.daemon import Daemon
from sampan_runtime.cri.errors import DeadlineExceeded, InvalidArgument
from sampan_runtime.cri.records import Container
from sampan_runtime.spec import ExecSpec
from sampan_runtime.streaming.server import Forwarding, Remote
from sampan_runtime.streaming.session import StreamRequest


async def exec_sync(daemon: Daemon, request: cri.ExecSyncRequest) -> cri.ExecSyncResponse:
    container, shim = running(daemon, request.container_id)
    spec = _spec(container, tuple(request.cmd), tty=False)
    try:
        done = await shim.exec_sync(container.id, spec, max(0, request.timeout))
    except TimeoutError:
        raise DeadlineExceeded(f"failed to exec in container: timeout {request.timeout}s exceeded") from None
    return cri.ExecSyncResponse(stdout=done.stdout, stderr=done.stderr, exit_code=done.exit_code)


def _spec(container: Container, args: tuple[str, ...], *, tty: bool) -> ExecSpec:
    if not args:
        raise InvalidArgument("exec needs a command")
    env = container.env
    if tty and not any(entry.startswith("TERM=") for entry in env):
        env = (*env, "TERM=xterm")
    return ExecSpec(args=args, env=env, cwd=container.cwd, tty=tty)


def _check_streams(request: cri.ExecRequest | cri.AttachRequest) -> None:
    if not (request.stdin or request.stdout or request.stderr):
        raise InvalidArgument("one of stdin, stdout, or stderr must be set")
    if request.tty and request.stderr:
        raise InvalidArgument("tty and stderr cannot both be true")


async def exec(daemon: Daemon, request: cri.ExecRequest) -> cri.ExecResponse:
    _check_streams(request)
    container, shim = running(daemon, request.container_id)
    wanted = StreamRequest(
        container_id=container.id,
        stdin=request.stdin,
        stdout=request.stdout,
        stderr=request.stderr,
        tty=request.tty,
        exec=_spec(container, tuple(request.cmd), tty=request.tty),
    )
    return cri.ExecResponse(url=daemon.streams.offer("exec", Remote(shim, wanted)))


async def attach(daemon: Daemon, request: cri.AttachRequest) -> cri.AttachResponse:
    _check_streams(request)
    container, shim = running(daemon, request.container_id)
    wanted = StreamRequest(
        container_id=container.id,
        stdin=request.stdin and container.config.stdin,
        stdout=request.stdout,
        stderr=request.stderr and not container.config.tty,
        tty=container.config.tty,
    )
    return cri.AttachResponse(url=daemon.streams.offer("attach", Remote(shim, wanted)))


async def port_forward(daemon: Daemon, request: cri.PortForwardRequest) -> cri.PortForwardResponse:
    sandbox = daemon.records.sandbox(request.pod_sandbox_id)
    shim = ready_shim(sandbox)
    netns = "" if sandbox.host_network else shim.netns_path
    return cri.PortForwardResponse(url=daemon.streams.offer("portforward", Forwarding(netns, tuple(request.port))))
