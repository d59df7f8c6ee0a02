"""`Warning` headers: RFC 7234's code 299, quoted, each text once, and not more of them than a client can bear.

Clients give up on a head that is too large, so beyond 4096 characters in all every text is cut to 256, and beyond 4096
characters of such, the rest is left out. The real server counts the same way.
"""

from __future__ import annotations

from collections.abc import Iterable

_TOTAL = 4096
_EACH = 256


def warning_headers(texts: Iterable[str]) -> list[tuple[bytes, bytes]]:
    texts = [text for text in dict.fromkeys(map(_printable, texts)) if text]
    if sum(map(len, texts)) > _TOTAL:
        written, kept = 0, []
        for text in texts:
            if written >= _TOTAL:
                break
            kept.append(text[:_EACH])
            written += len(kept[-1])
        texts = kept
    return [(b"warning", _quoted(text)) for text in texts]


def _printable(text: str) -> str:
    """A line break would begin a header of the text's own."""
    return "".join(char if char.isprintable() else " " for char in text)


def _quoted(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'.encode(errors="replace")
