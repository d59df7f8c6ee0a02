"""Probes and lifecycle hooks."""

from __future__ import annotations

from typing import Any

from sampan_master.apiserver.validation.fields import Errors, forbidden, invalid, one_of, required
from sampan_master.apiserver.validation.names import complain, port_name
from sampan_master.apiserver.validation.numbers import non_negative, port_number

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_COUNTS = ("timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold", "initialDelaySeconds")
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")


def validate_probe(probe: dict[str, Any], path: str, *, once: bool) -> Errors:
    """`once`: liveness and startup probes succeed at the first success."""
    yield from _handler(probe, path, _PROBE_HANDLERS)
    for field in _COUNTS:
        yield from non_negative(probe.get(field), f"{path}.{field}")
    if once and probe.get("successThreshold", 1) != 1:
        yield invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def validate_lifecycle(lifecycle: dict[str, Any], path: str) -> Errors:
    for hook in ("postStart", "preStop"):
        if lifecycle.get(hook) is not None:
            yield from _handler(lifecycle[hook], f"{path}.{hook}", _HOOK_HANDLERS)


def _handler(handler: dict[str, Any], path: str, kinds: tuple[str, ...]) -> Errors:
    said = [kind for kind in kinds if handler.get(kind) is not None]
    if not said:
        yield required(path, "must specify a handler type")
    for kind in said[1:]:
        yield forbidden(f"{path}.{kind}", "may not specify more than 1 handler type")
    if not said:
        return
    kind, value = said[0], handler[said[0]]
    at = f"{path}.{kind}"
    if kind == "exec" and not value.get("command"):
        yield required(f"{at}.command")
    elif kind == "httpGet":
        yield from _port(value.get("port", 0), f"{at}.port")
        yield from one_of(value.get("scheme", ""), ("HTTP", "HTTPS"), f"{at}.scheme")
    elif kind == "tcpSocket":
        yield from _port(value.get("port", 0), f"{at}.port")
    elif kind == "grpc":
        yield from port_number(value.get("port", 0), f"{at}.port")


def _port(port: int | str, path: str) -> Errors:
    if isinstance(port, str):
        yield from complain(path, port, port_name(port))
    else:
        yield from port_number(port, path)
