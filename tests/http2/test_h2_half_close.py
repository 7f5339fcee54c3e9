"""A client that shuts down its sending side ends its connection.

HTTP/2 needs both directions: without WINDOW_UPDATE frames from the client, only small
responses can be sent. Complete responses are sent first. Covers src/http2/session.c.
"""

import asyncio
import socket

from rawclient import Raw
from rawframes import DATA, END_STREAM, GET, HEADERS, headers
from serving import Serving, answer, more, start

HEALTH = bytes.fromhex("8286040b") + b"/.healthz/a" + bytes.fromhex("410161")
"""GET http://a/.healthz/a, to which the engine responds at once."""


async def hello(scope, receive, send):
    """Respond with 200."""
    await answer(send, b"hello")


def test_complete_responses_are_sent_after_a_half_close():
    streams = range(1, 41, 2)
    with Serving(hello, health_path="/.healthz/a") as serving, Raw(serving) as raw:
        raw.send(b"".join(headers(n, HEALTH) for n in streams))
        raw.sock.shutdown(socket.SHUT_WR)
        raw.until_closed()
        assert [raw.status(n) for n in streams] == ["200"] * len(streams)
        assert all(raw.of(DATA, n)[-1][1] & END_STREAM for n in streams)


def test_an_incomplete_response_becomes_a_disconnect():
    events = []

    async def app(scope, receive, send):
        await start(send)
        await more(send, b"x")
        events.append((await receive())["type"])
        events.append((await receive())["type"])

    with Serving(app) as serving, Raw(serving) as raw:
        raw.send(headers(1, GET))
        raw.until(lambda: raw.body(1))
        raw.sock.shutdown(socket.SHUT_WR)
        raw.until_closed()
        assert raw.of(HEADERS, 1)
        assert not raw.of(DATA, 1)[-1][1] & END_STREAM
    assert events == ["http.request", "http.disconnect"]


def test_a_response_that_has_not_started_is_not_sent():
    ended = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        ended.set()

    with Serving(app) as serving, Raw(serving) as raw:
        raw.send(headers(1, GET))
        raw.sock.shutdown(socket.SHUT_WR)
        raw.until_closed()
        assert not raw.of(HEADERS, 1)
    assert ended.is_set()
