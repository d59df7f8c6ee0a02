"""A new node's first call: a join token buys a certificate that says which node it is."""

from __future__ import annotations

import hmac
import re

import grpc
from sampan_proto import node_pb2, node_pb2_grpc

from sampan_master.nodelink.settings import Authority

_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class BootstrapService(node_pb2_grpc.BootstrapServicer):
    def __init__(self, authority: Authority, token: str) -> None:
        self._authority = authority
        self._token = token.encode()

    async def Join(self, request: node_pb2.JoinRequest, context: grpc.aio.ServicerContext) -> node_pb2.JoinResponse:
        if not self._token or not hmac.compare_digest(request.token.encode(), self._token):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the join token is wrong or expired")
        if len(request.node_name) > 253 or not _NODE_NAME.fullmatch(request.node_name):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{request.node_name!r} is not a node name")
        try:
            certificate = self._authority.sign_node_request(request.certificate_request, request.node_name)
        except ValueError as e:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"certificate request: {e}")
        return node_pb2.JoinResponse(certificate=certificate, ca_certificate=self._authority.ca_pem)
