"""The agent's link to a master that hangs up: it comes back, whatever it was about to say."""

import asyncio
import contextlib

import grpc
import pytest
from agent_pods import until
from sampan_agent.link import Link
from sampan_proto import node_pb2, node_pb2_grpc


class Master(node_pb2_grpc.NodeLinkServicer):
    """Hangs up on the first call before it says anything and on the second after the welcome; the third it keeps."""

    def __init__(self) -> None:
        self.calls = 0
        self.hung_up = asyncio.Event()

    async def Connect(self, requests, context):
        self.calls += 1
        turn = self.calls
        await anext(aiter(requests))
        if turn > 1:
            yield node_pb2.MasterMessage(welcome=node_pb2.Welcome())
        if turn > 2:
            async for _ in requests:
                pass
        self.hung_up.set()


class Identity:
    def __init__(self, port: int) -> None:
        self.server = f"127.0.0.1:{port}"

    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.local_channel_credentials()


class Listener:
    def __init__(self, master: Master) -> None:
        self.master = master

    async def hello(self):
        self.master.hung_up.clear()
        return {}, []

    async def welcomed(self, welcome):
        if self.master.calls < 3:
            await self.master.hung_up.wait()

    async def status(self):
        return {}


@pytest.fixture
async def master():
    server, one = grpc.aio.server(), Master()
    node_pb2_grpc.add_NodeLinkServicer_to_server(one, server)
    one.port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
    await server.start()
    yield one
    await server.stop(None)


async def test_a_master_that_hangs_up_is_called_again(master):
    link = Link("n1", Identity(master.port))
    running = asyncio.create_task(link.run(Listener(master)))
    try:
        await until(lambda: running.done() or (master.calls == 3 and link.connected), seconds=30)
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
