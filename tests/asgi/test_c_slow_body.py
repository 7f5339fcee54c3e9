"""Slow request bodies: what extends their deadline, and when they have none."""

import asyncio
import threading

import pytest
from serving import Serving, answer, read_answer, read_body, request

CHUNKED = "Transfer-Encoding: chunked\r\n"


def drip(sock, byte, times):
    """Send a byte each 0.1 s until a response comes; return whether one came."""
    sock.settimeout(0.1)
    for _ in range(times):
        sock.sendall(byte)
        try:
            return sock.recv(1, 2) != b""  # MSG_PEEK
        except TimeoutError:
            continue
    return False


@pytest.mark.parametrize("limit_body_rate", [0, 1000])
@pytest.mark.parametrize(
    ("begin", "byte"),
    [(b"5;x=", b"y"), (b"0\r\nx: ", b"y")],
    ids=["extension", "trailer"],
)
def test_framing_sent_slowly_is_408(begin, byte, limit_body_rate):
    """docs/LIMITS.md: each byte of the body renews --timeout-body, and nothing else."""

    async def app(scope, receive, send):
        await read_body(receive)

    limits = {"timeout_body": 0.5, "limit_body_rate": limit_body_rate}
    with Serving(app, **limits) as serving, serving.connect() as sock:
        sock.sendall(request("/", CHUNKED, method="POST") + begin)
        assert drip(sock, byte, 100)
        assert read_answer(sock).status == 408


def test_the_deadline_of_the_body_ends_with_the_response():
    """A task that waits in receive() does not shorten another task's response."""
    go = threading.Event()

    async def app(scope, receive, send):
        waiting = asyncio.create_task(read_body(receive))
        await asyncio.sleep(0)
        await answer(send, b"x" * 20_000_000)
        go.set()
        waiting.cancel()

    with Serving(app, timeout_body=0.2) as serving, serving.connect() as sock:
        sock.sendall(request("/", CHUNKED, method="POST"))
        assert go.wait(5)
        threading.Event().wait(0.5)  # past the deadline of the body
        got = read_answer(sock)
        assert (got.status, len(got.body), got.is_whole) == (200, 20_000_000, True)


def test_a_late_first_byte_without_a_deadline_is_not_a_slow_body():
    """With --timeout-body 0 the rate is checked after 30 s, not at the first byte."""

    async def app(scope, receive, send):
        await answer(send, await read_body(receive))

    with Serving(app, timeout_body=0) as serving, serving.connect() as sock:
        sock.sendall(request("/", CHUNKED, method="POST"))
        threading.Event().wait(0.3)
        sock.sendall(b"1\r\nx\r\n")
        threading.Event().wait(0.3)
        sock.sendall(b"1\r\ny\r\n0\r\n\r\n")
        got = read_answer(sock)
        assert (got.status, got.body) == (200, b"xy")
