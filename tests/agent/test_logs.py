from __future__ import annotations

import asyncio

from sampan_agent.logs import LogOptions, read_log
from sampan_api.clock import RealClock

T = "2026-01-01T00:00:0{}.000000000Z"


def line(second, text, stream="stdout", tag="F"):
    return f"{T.format(second)} {stream} {tag} {text}\n"


async def has_ended():
    return True


async def content(path, **options):
    chunks = read_log(path, LogOptions(**options), has_ended, RealClock())
    return b"".join([c async for c in chunks]).decode()


async def test_prints_both_streams_and_joins_partial_lines(tmp_path):
    log = tmp_path / "0.log"
    log.write_text(line(1, "one") + line(2, "tw", tag="P") + line(2, "o") + line(3, "err", "stderr"))
    assert await content(log) == "one\ntwo\nerr\n"
    stamp = T.format(2)
    assert await content(log, timestamps=True) == f"{T.format(1)} one\n{stamp} two\n{T.format(3)} err\n"


async def test_tail_since_and_limit(tmp_path):
    log = tmp_path / "0.log"
    log.write_text("".join(line(i, f"l{i}") for i in range(1, 6)))
    assert await content(log, tail=2) == "l4\nl5\n"
    assert await content(log, tail=0) == ""
    assert await content(log, limit=4) == "l1\nl"
    assert await content(log, since=1767225604.0) == "l4\nl5\n"


async def test_tail_reaches_into_rotated_files(tmp_path):
    log = tmp_path / "0.log"
    (tmp_path / "0.log.20260101-000000.000001").write_text(line(1, "old"))
    log.write_text(line(2, "new"))
    assert await content(log) == "old\nnew\n"
    assert await content(log, tail=2) == "old\nnew\n"


async def test_follow_goes_on_through_a_rotation_and_ends_with_the_container(tmp_path):
    log = tmp_path / "0.log"
    log.write_text(line(1, "a"))
    over = asyncio.Event()

    async def ended():
        return over.is_set()

    got: list[bytes] = []

    async def follow():
        async for chunk in read_log(log, LogOptions(follow=True), ended, RealClock()):
            got.append(chunk)

    task = asyncio.create_task(follow())
    async with asyncio.timeout(60):
        while not got:
            await asyncio.sleep(0.01)
        with log.open("a") as old:
            log.rename(tmp_path / "0.log.20260101-000000.000001")
            old.write(line(2, "b"))
            old.flush()
            log.write_text(line(3, "c"))
        over.set()
        await task
    assert b"".join(got) == b"a\nb\nc\n"


async def test_log_that_is_not_there_is_empty(tmp_path):
    assert await content(tmp_path / "0.log") == ""
