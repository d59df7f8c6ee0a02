"""Health and metrics, as Kubernetes' components serve them: /healthz, /livez, /readyz (`?verbose` names the checks) and
/metrics. HTTP for this machine alone, or HTTPS for who shows a certificate."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

import orjson
from aiohttp import web
from sampan_api.errors import ApiError
from sampan_api.meta import Object

from sampan_master import prometheus
from sampan_master.prometheus import Source
from sampan_master.standalone.settings import StandaloneSettings

Check = Callable[[], str]
"""A health check: "" when fine, else what is wrong."""
Post = Callable[[bytes], Awaitable[Object]]
"""Answers the body of a POST. Raises ApiError."""
_MOST = 3 << 20
"""Bytes of a body, as much as the API server takes."""


@asynccontextmanager
async def serving(
    settings: StandaloneSettings,
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    metrics: Iterable[Source],
    posts: Mapping[str, Post],
) -> AsyncIterator[str]:
    """Answers inside the block; gives the URL. `ready` holds checks beyond those of `live`. Raises OSError when the
    address is taken or a file cannot be read, ssl.SSLError when it holds no certificate."""
    app = web.Application(client_max_size=_MOST)
    for path, post in posts.items():
        app.router.add_post(path, _answering(post))
    for path, checks in (("/healthz", live), ("/livez", live), ("/readyz", {**live, **ready})):
        app.router.add_get(path, _health(path, checks))
        app.router.add_get(path + "/{check}", _health(path, checks))
    sources = tuple(metrics)

    async def told(_request: web.Request) -> web.Response:
        return web.Response(body=prometheus.text(sources), headers={"Content-Type": prometheus.CONTENT_TYPE})

    app.router.add_get("/metrics", told)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        context = _tls(settings)
        site = web.TCPSite(runner, settings.bind_address, settings.port, ssl_context=context)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"{'https' if context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        await runner.cleanup()


def _answering(post: Post) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        code = 200
        try:
            told = await post(await request.read())
        except ApiError as error:
            told, code = error.status(), error.code
        return web.Response(body=orjson.dumps(told), status=code, content_type="application/json")

    return answer


def _health(path: str, checks: Mapping[str, Check]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def health(request: web.Request) -> web.Response:
        asked = request.match_info.get("check")
        if asked and asked not in checks:
            return web.Response(text="404 page not found\n", status=404)
        found = {name: check() for name, check in checks.items() if not asked or name == asked}
        lines = [f"[-]{name} failed: {wrong}" if wrong else f"[+]{name} ok" for name, wrong in found.items()]
        kind = path.strip("/")
        if any(found.values()):
            return web.Response(text="\n".join([*lines, f"{kind} check failed\n"]), status=500)
        return web.Response(text="\n".join([*lines, f"{kind} check passed\n"]) if "verbose" in request.query else "ok")

    return health


def _tls(settings: StandaloneSettings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.key)
    if settings.client_ca is not None:
        context.load_verify_locations(settings.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
