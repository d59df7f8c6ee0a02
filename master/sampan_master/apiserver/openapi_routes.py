"""`/openapi/v2` and `/openapi/v3`."""

from __future__ import annotations

import orjson

from sampan_master.apiserver.requests import ApiRequest
from sampan_master.apiserver.resources import ResourceTable


class OpenApi:
    def __init__(self, table: ResourceTable) -> None:
        self._table = table

    async def index(self, request: ApiRequest) -> None:
        await request.answer(orjson.dumps({"paths": {}}))

    async def version_3(self, request: ApiRequest) -> None:
        await request.answer_text("404 page not found\n", 404)

    async def version_2(self, request: ApiRequest) -> None:
        await request.answer(orjson.dumps({"swagger": "2.0", "info": {}, "paths": {}, "definitions": {}}))
