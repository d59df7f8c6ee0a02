"""Everything below `/api/v1` and `/apis/G/V`: discovery at its root, reviews, and the resources."""

from __future__ import annotations

from typing import Any

from sampan_api.errors import BadRequest, MethodNotAllowed

from sampan_master.apiserver.auth.reviews import REVIEWS, Reviews
from sampan_master.apiserver.discovery.groups import Discovery, Virtual
from sampan_master.apiserver.encoding.decoding import read_object
from sampan_master.apiserver.encoding.options import write_options
from sampan_master.apiserver.handlers.endpoint import ResourceEndpoint
from sampan_master.apiserver.http.requests import ApiRequest
from sampan_master.apiserver.registry.preparing import WRONG_NAMESPACE
from sampan_master.apiserver.resources import problems


class ApiGroups:
    def __init__(self, discovery: Discovery, endpoint: ResourceEndpoint, reviews: Reviews) -> None:
        self._discovery = discovery
        self._endpoint = endpoint
        self._reviews = reviews
        self._kinds = {(one.group, one.version, one.plural): one for one in REVIEWS}

    async def answer(self, request: ApiRequest) -> None:
        root, *segments = request.segments
        group = "" if root == "api" else segments.pop(0)
        version, *rest = segments
        kind = self._review_of(group, version, rest)
        if kind is not None:
            await self._review(request, kind, rest[1] if kind.namespaced else "")
        elif not self._discovery.is_group(group):
            await request.answer_text("404 page not found\n", 404)
        elif rest:
            await self._endpoint.answer(request, group, version, rest)
        else:
            await self._resources(request, group, version)

    def _review_of(self, group: str, version: str, rest: list[str]) -> Virtual | None:
        within = len(rest) == 3 and rest[0] == "namespaces"
        if not within and len(rest) != 1:
            return None
        kind = self._kinds.get((group, version, rest[-1]))
        return kind if kind is not None and kind.namespaced is within else None

    async def _resources(self, request: ApiRequest, group: str, version: str) -> None:
        if request.method != "GET":
            raise MethodNotAllowed(problems.NO_METHOD, {})
        content: dict[str, Any] = self._discovery.legacy_resources(group, version)
        await request.answer_object(content, media=request.accepted().media)

    async def _review(self, request: ApiRequest, kind: Virtual, namespace: str) -> None:
        if request.method != "POST":
            raise MethodNotAllowed(problems.NO_METHOD, {})
        accepted = request.accepted()
        options = write_options(request.query, "CreateOptions", request.header(b"user-agent"))
        body, content_type = await request.body(), request.header(b"content-type")
        obj = read_object(body, content_type, f"{kind.group}/{kind.version}", kind.kind, options)
        if kind.namespaced and obj["metadata"].setdefault("namespace", namespace) != namespace:
            raise BadRequest(WRONG_NAMESPACE)
        answer = await self._reviews.answer(kind, obj, request.user)
        await request.answer_object(answer, status=201, warnings=options.warnings, media=accepted.media)
