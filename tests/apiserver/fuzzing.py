"""A server for tests that are not asynchronous (hypothesis drives them), and what every answer must be.

Each test looks at a fixed set of examples. A longer walk, from a seed of one's own:
`pytest tests/apiserver/test_fuzz.py --hypothesis-profile=long --hypothesis-seed=7`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from api_harness import Answer, Http, Running, running
from hypothesis import HealthCheck, settings

LONG = 10_000
"""Marks the profile of the long walk."""


def is_long() -> bool:
    return settings.default is not None and settings.default.max_examples == LONG


def examples(count: int) -> settings:
    """`count` examples, always the same; a hundred times as many, from the seed, in the long profile."""
    long = is_long()
    return settings(
        max_examples=count * 100 if long else count,
        derandomize=not long,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


class Server:
    def __init__(self, loop: asyncio.AbstractEventLoop, api: Running) -> None:
        self._loop = loop
        self._http: Http = api.http
        self.address = api.http.address
        self.headers = api.http.defaults

    def __call__(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        sending = self._http(method, path, body, headers)
        return asyncio.run_coroutine_threadsafe(sending, self._loop).result(120)


@contextmanager
def server() -> Iterator[Server]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="api server")
    thread.start()
    stack = AsyncExitStack()
    try:
        api = asyncio.run_coroutine_threadsafe(stack.enter_async_context(running()), loop).result(120)
        yield Server(loop, api)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(120)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


RECORDED = (
    "does not contain declared merge key",
    "resourceVersion should not be set on objects to be created",
    "failed to create typed patch object",
    "invalid patch format",
    "unknown patch type",
    "resourceVersion: Invalid value",
)
"""What a real server answers with a 500: it is wrong of it, and clients know it."""


def check(code: int, raw: bytes, content_type: str) -> None:
    """No error of our own, and every error a whole Status."""
    if code < 400:
        return
    if code == 404 and content_type.startswith("text/plain"):
        assert raw == b"404 page not found\n"
        return
    status = json.loads(raw)
    assert status["kind"] == "Status", status
    assert status["apiVersion"] == "v1"
    assert status["status"] == "Failure"
    assert status["code"] == code
    assert isinstance(status["message"], str)
    assert isinstance(status["metadata"], dict)
    if code == 500:
        assert any(one in status["message"] for one in RECORDED), status["message"]
    else:
        assert status["reason"], status


def check_answer(answer: Answer) -> None:
    check(answer.code, answer.raw, answer.header("content-type"))
