"""The documents of the API: versions, groups, resources, OpenAPI, health. All read-only and derived."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from sampan_master.apiserver.auth import jwt
from sampan_master.apiserver.auth.service_account_tokens import TokenIssuer
from sampan_master.apiserver.discovery.groups import Discovery, Document
from sampan_master.apiserver.encoding.negotiation import AGGREGATED, negotiate_discovery
from sampan_master.apiserver.handlers.metrics import Metrics
from sampan_master.apiserver.http.requests import ApiRequest
from sampan_master.prometheus import CONTENT_TYPE

VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": f"python{platform.python_version()}",
    "compiler": platform.python_implementation(),
    "platform": f"linux/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }",
}
"""The version of the API that is spoken. A suffix naming Sampan would upset clients that compare versions."""

_CACHED_AN_HOUR = ((b"cache-control", b"public, max-age=3600"),)

Check = Callable[[], Awaitable[str]]
"""A health check: "" when fine, else what is wrong."""


class Documents:
    def __init__(
        self,
        discovery: Discovery,
        address: Callable[[], str],
        checks: dict[str, Check],
        issuer: TokenIssuer,
        metrics: Metrics,
    ) -> None:
        self._metrics = metrics
        self._discovery = discovery
        self._issuer = issuer
        self._address = address
        self._checks = checks

    async def version(self, request: ApiRequest) -> None:
        await request.answer(orjson.dumps(VERSION, option=orjson.OPT_INDENT_2))

    async def core_versions(self, request: ApiRequest) -> None:
        await _discover(request, self._discovery.core, self._discovery.legacy_core(self._address()))

    async def groups(self, request: ApiRequest) -> None:
        await _discover(request, self._discovery.groups, self._discovery.legacy_groups())

    async def group(self, request: ApiRequest) -> None:
        group = request.path.split("/")[2]
        if not self._discovery.is_group(group):
            await request.answer_text("404 page not found\n", 404)
            return
        await request.answer_object(self._discovery.legacy_group(group), media=request.accepted().media)

    async def openid_configuration(self, request: ApiRequest) -> None:
        """OpenID Connect Discovery 1.0, section 3: with it, others can check service accounts' tokens themselves."""
        document = {
            "issuer": self._issuer.issuer,
            "jwks_uri": f"https://{self._address()}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [jwt.ALGORITHM],
        }
        await request.answer(orjson.dumps(document), headers=_CACHED_AN_HOUR)

    async def token_keys(self, request: ApiRequest) -> None:
        keys = jwt.public_key_set(self._issuer.key.public_key())
        await request.answer(orjson.dumps(keys), content_type="application/jwk-set+json", headers=_CACHED_AN_HOUR)

    async def root(self, request: ApiRequest) -> None:
        paths = ["/.well-known/openid-configuration", "/openid/v1/jwks", "/metrics", "/version"]
        paths += ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz"]
        paths += {f"/apis/{group}" for group, _ in self._discovery.group_versions if group}
        for group, version in self._discovery.group_versions:
            paths.append(f"/apis/{group}/{version}" if group else f"/api/{version}")
        body = orjson.dumps({"paths": sorted(paths)}, option=orjson.OPT_INDENT_2)
        await request.answer(body)

    async def metrics(self, request: ApiRequest) -> None:
        await request.answer(self._metrics.text(), content_type=CONTENT_TYPE)

    async def health(self, request: ApiRequest) -> None:
        """`/readyz[/check]`: `ok`, or with `?verbose` one line per check."""
        kind, *rest = request.path.strip("/").split("/")
        excluded = request.query.get("exclude") or []
        checks = {name: check for name, check in self._checks.items() if not rest or name == rest[0]}
        if rest and not checks:
            await request.answer_text("404 page not found\n", 404)
            return
        lines, failed = [], False
        for name, check in checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
                continue
            wrong = await check()
            failed = failed or bool(wrong)
            lines.append(f"[-]{name} failed: {wrong}" if wrong else f"[+]{name} ok")
        if failed:
            await request.answer_text("\n".join([*lines, f"{kind} check failed\n"]), 500)
        elif "verbose" in request.query:
            await request.answer_text("\n".join([*lines, f"{kind} check passed\n"]))
        else:
            await request.answer_text("ok")


async def _discover(request: ApiRequest, document: Document, legacy: dict[str, Any]) -> None:
    """In the aggregated form if the client likes it best, else in the old one."""
    media = negotiate_discovery(request.header(b"accept"))
    if media != AGGREGATED:
        await request.answer_object(legacy, media=media)
        return
    headers = ((b"etag", document.etag.encode()), (b"vary", b"Accept"), (b"cache-control", b"public"))
    if request.has(document.etag):
        await request.answer(b"", status=304, content_type=AGGREGATED, headers=headers)
    else:
        await request.answer(document.body, content_type=AGGREGATED, headers=headers)
