# SPDX-License-Identifier: MIT
"""The kernel keeps more unsent bytes for clients that read fast, and not for others."""

import os
import socket
import time

import pytest
from serving import DEADLINE_S, Serving, more, request, start

NOTSENT_LOWAT = 25  # TCP_NOTSENT_LOWAT of Linux
FEW, MANY = 128 << 10, 1 << 20


def kept_for(sock):
    """Return the unsent bytes that the kernel keeps for the other end."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            other = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with other:
            try:
                if other.getpeername() == sock.getsockname():
                    return other.getsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT)
            except OSError:
                continue
    raise AssertionError("the server has no such connection")


async def endless(scope, receive, send):
    """Send until the client leaves."""
    await start(send)
    while scope["type"] == "http":
        await more(send, bytes(1 << 20))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux")
def test_a_client_that_reads_fast_is_sent_more_at_a_time():
    with Serving(endless) as serving, serving.connect() as fast:
        fast.sendall(request())
        assert fast.recv(1)
        assert kept_for(fast) == FEW
        end = time.monotonic() + DEADLINE_S
        while kept_for(fast) != MANY:
            assert fast.recv(1 << 20)
            assert time.monotonic() < end


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux")
def test_a_client_that_does_not_read_is_sent_little():
    with Serving(endless) as serving, serving.connect() as slow:
        slow.sendall(request())
        assert slow.recv(1)
        with serving.connect() as fast:
            fast.sendall(request())
            assert fast.recv(1)
            while kept_for(fast) != MANY:
                assert fast.recv(1 << 20)
        assert kept_for(slow) == FEW
