"""The gRPC health checking protocol's one question, for probes; small enough to need no generated stubs."""

from __future__ import annotations

import grpc

_METHOD = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"


async def grpc_health(host: str, port: int, service: str, timeout: float) -> str:
    """What is wrong, or "". A HealthCheckRequest is its field 1, a string; a response's field 1 is the status."""
    name = service.encode()
    request = b"\x0a" + _varint(len(name)) + name if name else b""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(f"{host}:{port}", options=options) as channel:
        check = channel.unary_unary(_METHOD, request_serializer=bytes, response_deserializer=bytes)
        try:
            reply: bytes = await check(request, timeout=timeout)
        except grpc.aio.AioRpcError as e:
            return f"service unhealthy: {e.code().name}: {e.details()}"
    return "" if reply.startswith(_SERVING) else "service unhealthy: not SERVING"


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
