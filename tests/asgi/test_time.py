"""Deadlines start when they are set, however long the application took before.

A pause of 1.5 s is longer than each timeout of 1 s here. ``awaits``: the loop is idle
meanwhile, and the Task resumes outside the engine; ``blocks``: the whole loop is
blocked, inside a turn of the engine.
"""

import asyncio
import sys
import threading
import time
from pathlib import Path

import pytest
from serving import (
    DEADLINE_S,
    Serving,
    answer,
    more,
    read_answer,
    read_body,
    request,
    start,
)
from socketing import CLOSE, accept, close_payload, talking

sys.path.insert(0, str(Path(__file__).parents[1] / "http2"))
from rawclient import Raw
from rawframes import (
    DATA,
    END_HEADERS,
    END_STREAM,
    POST,
    frame,
    headers,
    settings,
    window_update,
)

PAUSE_S = 1.5
LATE_S = 0.3
"""When a peer acts, counted from the start of its deadline of 1 s."""

SIZE = 8 << 20


async def awaits():
    """Wait without blocking the loop."""
    await asyncio.sleep(PAUSE_S)


async def blocks():
    """Block the loop."""
    time.sleep(PAUSE_S)


pauses = pytest.mark.parametrize("pause", [awaits, blocks])


def streaming(pause, begins):
    """Return an application that pauses, signals that it starts, and streams 8 MiB."""

    async def app(scope, receive, send):
        await pause()
        begins.set()
        await start(send)
        for _ in range(SIZE >> 16):
            await more(send, bytes(1 << 16))
        await send({"type": "http.response.body"})

    return app


@pauses
def test_a_client_that_reads_is_not_reset(pause):
    begins = threading.Event()
    with (
        Serving(streaming(pause, begins), timeout_send=1) as serving,
        serving.connect() as sock,
    ):
        sock.sendall(request())
        assert begins.wait(DEADLINE_S)
        time.sleep(LATE_S)
        got = read_answer(sock)
    assert (got.status, got.is_whole, len(got.body)) == (200, True, SIZE)


@pauses
def test_an_http_2_client_that_reads_is_not_reset(pause):
    begins = threading.Event()
    wide = settings((4, 1 << 30))
    with (
        Serving(streaming(pause, begins), timeout_send=1) as serving,
        Raw(serving, wide) as raw,
    ):
        raw.send(window_update(0, 1 << 30) + headers(1))
        assert begins.wait(DEADLINE_S)
        time.sleep(LATE_S)
        raw.until(lambda: len(raw.body(1) or b"") == SIZE)


def receiving(pause, asks):
    """Return an application that pauses, signals that it will receive, and echoes."""

    async def app(scope, receive, send):
        await pause()
        asks.set()
        await answer(send, await read_body(receive))

    return app


@pauses
def test_the_timeout_of_a_body_starts_when_it_is_received(pause):
    asks = threading.Event()
    with (
        Serving(receiving(pause, asks), timeout_body=1) as serving,
        serving.connect() as sock,
    ):
        sock.sendall(request(method="POST", fields="Content-Length: 4\r\n"))
        assert asks.wait(DEADLINE_S)
        time.sleep(LATE_S)
        sock.sendall(b"body")
        got = read_answer(sock)
    assert (got.status, got.body) == (200, b"body")


@pauses
def test_the_timeout_of_an_http_2_body_starts_when_it_is_received(pause):
    asks = threading.Event()
    with (
        Serving(receiving(pause, asks), timeout_body=1) as serving,
        Raw(serving) as raw,
    ):
        raw.send(headers(1, POST, END_HEADERS))
        assert asks.wait(DEADLINE_S)
        time.sleep(LATE_S)
        raw.send(frame(DATA, END_STREAM, 1, b"body"))
        raw.until(lambda: raw.body(1) or raw.reset(1) is not None)
        assert (raw.status(1), raw.body(1)) == ("200", b"body")


@pauses
def test_the_idle_timeout_starts_at_the_end_of_the_response(pause):
    async def app(scope, receive, send):
        await pause()
        await answer(send, b"done")

    with Serving(app, timeout_keep_alive=1) as serving, serving.connect() as sock:
        for _ in range(2):
            sock.sendall(request())
            assert read_answer(sock).body == b"done"
            time.sleep(LATE_S)


@pauses
def test_the_server_waits_for_the_peer_s_close_after_its_own(pause):
    async def app(scope, receive, send):
        await accept(receive, send)
        await pause()
        await send({"type": "websocket.close", "code": 1000})

    with talking(app, ws_close_timeout=1) as (peer, _):
        assert peer.close_code() == (1000, "")
        peer.sock.settimeout(LATE_S)
        with pytest.raises(TimeoutError):
            peer.sock.recv(1)
        peer.sock.settimeout(DEADLINE_S)
        peer.send(CLOSE, close_payload(1000))
        assert peer.ends()


@pauses
def test_the_first_ping_is_sent_one_interval_after_the_accept(pause):
    async def app(scope, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        await pause()
        await send({"type": "websocket.accept"})
        await receive()

    with talking(app, ws_ping_interval=1) as (peer, _):
        peer.sock.settimeout(LATE_S)
        with pytest.raises(TimeoutError):
            peer.sock.recv(1)
