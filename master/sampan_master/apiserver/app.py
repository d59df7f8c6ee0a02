"""The ASGI application: who asks and whether they may, then the resources directly and all else by FastAPI's routes.

A resource request meets no framework on its way: FastAPI's own layers (routing, telemetry, body limits, exit stacks)
cost a sixth of a GET (measured), and nothing of them is used there.

Every answer that is an error is a Status, made here from `ApiError`; a path that no part knows is plain text, as the
real server has it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from sampan_api.client import UserInfo
from sampan_api.errors import ApiError, InternalError, MethodNotAllowed

from sampan_master.apiserver.auth import authorization, impersonation
from sampan_master.apiserver.auth.attributes import asked
from sampan_master.apiserver.auth.authentication import Authenticator
from sampan_master.apiserver.handlers.explaining import PATHS
from sampan_master.apiserver.handlers.metrics import Measured, Metrics
from sampan_master.apiserver.http.protocol import EXTENSION
from sampan_master.apiserver.http.requests import ApiRequest, Receive, Scope, Send
from sampan_master.apiserver.resources import problems

log = logging.getLogger(__name__)
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = Callable[[ApiRequest], Awaitable[None]]


class Handler:
    """A function of `ApiRequest` as an ASGI application, its errors answered as Status. Documents are only read."""

    def __init__(self, function: Answer, *, any_method: bool = False) -> None:
        self._function = function
        self._any_method = any_method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = ApiRequest(scope, receive, send)
        try:
            if request.method != "GET" and not self._any_method:
                raise MethodNotAllowed(problems.NO_METHOD, {})
            await self._function(request)
        except ApiError as error:
            await request.answer_error(error)


class Door:
    """Puts the user into the scope and refuses what the user may not do; whoever stands behind it asks no more."""

    def __init__(self, app: Asgi, resources: Answer, authenticator: Authenticator, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._resources = resources
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        measured = scope["sampan.measured"] = Measured(self._metrics, scope["method"])
        request = ApiRequest(scope, receive, send)
        try:
            if await self._answered(request):
                return
            await self._app(scope, receive, send)
        except ConnectionResetError:
            # A client that goes away in the middle of its request is nobody's fault and needs no answer.
            pass
        except Exception as error:
            # What nobody foresaw. The traceback goes to the log, the client gets a Status.
            log.error("unhandled error in %s %s", request.method, request.path, exc_info=error)
            if measured.code:
                request.abort()
            else:
                said = f"Internal error occurred: {type(error).__name__}: {error}"
                await request.answer_error(InternalError(said, {}))
        finally:
            measured.done()

    async def _answered(self, request: ApiRequest) -> bool:
        """False when it is for the routes to answer."""
        try:
            request.user = await self._identify(request)
            if not _decided(request.user, request.path):
                authorization.authorise(request.user, asked(request.method, request.path, request.query))
            if not _is_resource(request.segments):
                return False
            await self._resources(request)
        except ApiError as error:
            await request.answer_error(error)
        return True

    async def _identify(self, request: ApiRequest) -> UserInfo:
        protocol = request.scope.get("extensions", {}).get(EXTENSION)
        certificate = protocol.certificate if protocol is not None else None
        user = await self._authenticator.identify(certificate, request.header(b"authorization"))
        if any(name.startswith(impersonation.PREFIX) for name in request.headers):
            return impersonation.impersonated(user, request.scope["headers"])
        return user


def _decided(user: UserInfo, path: str) -> bool:
    """Whether no rule need be looked at: at `PATHS` what is asked there decides, but nobody unknown comes so far."""
    groups = user.groups
    return (
        authorization.MASTERS in groups
        or authorization.is_public(path)
        or (path in PATHS and authorization.AUTHENTICATED in groups)
    )


def _is_resource(segments: list[str]) -> bool:
    """Whether the path goes at least as deep as a group's version."""
    return (segments[0] == "api" and len(segments) > 1) or (segments[0] == "apis" and len(segments) > 2)


def build(authenticator: Authenticator, resources: Answer, routes: dict[str, Asgi], metrics: Metrics) -> Asgi:
    """`resources` gets `/api/v1` and `/apis/<group>/<version>` and all below; `routes`: path pattern -> the rest."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for path, endpoint in routes.items():
        app.add_route(path, endpoint)  # type: ignore[arg-type]
    app.router.default = _unknown_path
    return Door(app, resources, authenticator, metrics)


async def _unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
    await ApiRequest(scope, receive, send).answer_text("404 page not found\n", 404)
