"""One HTTP GET for a probe or a hook: no proxy, no foreign redirects, certificates not checked, at most 10 KiB read."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

BODY_LIMIT = 10 * 1024


async def get_status(action: dict[str, Any], host: str, port: int, timeout: float) -> tuple[int, str]:
    """(HTTP status, text); status 0 and what went wrong when there was no answer."""
    tls = (action.get("scheme") or "HTTP").upper() == "HTTPS"
    path = action.get("path") or "/"
    url = f"{'https' if tls else 'http'}://{host}:{port}{path if path.startswith('/') else '/' + path}"
    try:
        async with asyncio.timeout(timeout):
            return await _exchange(action, host, port, path, tls)
    except TimeoutError:
        return 0, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    except (OSError, ValueError) as e:
        reason = e.strerror.lower() if isinstance(e, OSError) and e.strerror else str(e)
        return 0, f'Get "{url}": dial tcp {host}:{port}: connect: {reason}'


async def _exchange(action: dict[str, Any], host: str, port: int, path: str, tls: bool) -> tuple[int, str]:
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(_request(action, host, port, path))
        await writer.drain()
        head = (await reader.readline()).decode("latin-1").split(" ", 2)
        if len(head) < 2 or not head[1].isdigit():
            raise ValueError("malformed HTTP response")
        body = await reader.read(BODY_LIMIT)
        return int(head[1]), body.partition(b"\r\n\r\n")[2].decode(errors="replace")
    finally:
        writer.close()


def _request(action: dict[str, Any], host: str, port: int, path: str) -> bytes:
    headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.36", "Accept": "*/*", "Connection": "close"}
    for header in action.get("httpHeaders") or []:
        name = next((h for h in headers if h.lower() == header["name"].lower()), header["name"])
        headers[name] = header.get("value", "")
    target = path if path.startswith("/") else f"/{path}"
    lines = [f"GET {target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")
