"""IP addresses and networks that somebody sends packets to."""

from __future__ import annotations

import ipaddress

from sampan_master.apiserver.validation.fields import Errors, invalid
from sampan_master.apiserver.validation.names import complain, ip_address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def validate_address(text: str, path: str) -> Errors:
    yield from complain(path, text, ip_address(text))


def validate_reachable(text: str, path: str) -> Errors:
    """An address of which every node means the same: neither loopback nor of one link only."""
    address = parse_address(text)
    if address is None:
        yield invalid(path, text, "must be a valid IP address")
        return
    if address.is_unspecified:
        yield invalid(path, text, f"may not be unspecified ({text})")
    if address.is_loopback:
        yield invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address in _LINK_LOCAL_MULTICAST[address.version]:
        yield invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


_LINK_LOCAL_MULTICAST = {4: ipaddress.ip_network("224.0.0.0/24"), 6: ipaddress.ip_network("ff02::/16")}


def validate_network(text: str, path: str) -> Errors:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        text_is_network = False
    else:
        text_is_network = "/" in text
    if not text_is_network:
        yield invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
