"""The watch over sockets sees what it should."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest
from sockets import is_outside, outside


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("127.0.0.1", 80), False),
        (("::1", 80, 0, 0), False),
        (("localhost", 80), False),
        (("", 0), False),
        ("/run/a.sock", False),
        (("0.0.0.0", 0), True),
        (("192.0.2.1", 443), True),
        (("example.org", 443), True),
    ],
)
def test_loopback_is_told_from_elsewhere(address, expected):
    assert is_outside(address) is expected


def test_a_connection_to_another_machine_is_seen():
    # 192.0.2.0/24 is for documentation (RFC 5737); with UDP nothing is sent.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, suppress(OSError):
        one.connect(("192.0.2.1", 9))
    assert outside == ["socket.connect to another machine"]
    outside.clear()
