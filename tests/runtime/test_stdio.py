from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sampan_runtime.shim.stdio import PART, Lines, timestamp

NOW = 1_700_000_000_000_000_007


def test_timestamps_have_nine_digits():
    assert timestamp(NOW) == b"2023-11-14T22:13:20.000000007Z"


def test_a_long_line_comes_in_parts():
    lines = Lines(b"stdout")
    text = lines.feed(b"a" * (PART + 5) + b"\n", NOW)
    first, second = text.splitlines()
    assert first.split(b" ", 3)[1:3] == [b"stdout", b"P"]
    assert second.endswith(b" stdout F aaaaa")


@given(st.lists(st.binary(max_size=PART * 2 + 3), max_size=6))
def test_no_byte_is_lost_or_made(chunks):
    lines = Lines(b"stderr")
    text = b"".join(lines.feed(chunk, NOW) for chunk in chunks) + lines.end(NOW)
    rebuilt = b""
    for line in text.split(b"\n")[:-1]:
        _, stream, tag, content = line.split(b" ", 3)
        assert stream == b"stderr"
        assert len(content) <= PART
        rebuilt += content + (b"\n" if tag == b"F" else b"")
    whole = b"".join(chunks)
    assert rebuilt in (whole, whole + b"\n")
