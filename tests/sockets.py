"""No socket leaves this machine while tests run: the test that opened it fails."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

LOOPBACK_NAMES = frozenset({"localhost", ""})
WATCHED = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"})
outside: list[str] = []
"""Where sockets were opened to, besides loopback; emptied by the fixture that reads it."""


def is_outside(address: Any) -> bool:
    """Whether an address is on another machine; a path or a netlink number is not."""
    if not isinstance(address, tuple) or not address or not isinstance(address[0], str):
        return False
    host = address[0].split("%")[0]
    if host in LOOPBACK_NAMES:
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in WATCHED:
        return
    address = arguments[1] if event != "socket.getaddrinfo" else (arguments[0] or "",)
    if isinstance(address, tuple) and address and isinstance(address[0], bytes):
        address = (address[0].decode("ascii", "replace"),)
    if is_outside(address):
        outside.append(f"{event} to another machine")


def watch() -> None:
    """Begin to watch; an audit hook stays until the process ends."""
    sys.addaudithook(_hook)
