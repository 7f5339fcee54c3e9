"""Streams that end early while their response waits for a slow client.

A part of the response was already promised to the layer below and is not written yet.
"""

import asyncio
import socket
import threading
import time

import pytest
from rawclient import Raw
from rawframes import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    POST,
    frame,
    headers,
    settings,
    window_update,
)
from serving import DEADLINE_S, Serving, answer, more, start

WIDE = settings((4, (1 << 31) - 1)) + window_update(0, (1 << 31) - 1 - 65535)
FIELDS = b"".join(b"\0\4x%03d\1y" % n for n in range(200))


class Slow:
    """Connects to a server with a small receive buffer."""

    def __init__(self, serving):
        self.place = serving.place

    def connect(self):
        """Return a connection."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(DEADLINE_S)
        sock.connect(self.place)
        return sock


def read_slowly(raw, until):
    """Read in small amounts until ``until()``."""
    end = time.monotonic() + DEADLINE_S
    while not until() and not raw.closed:
        assert time.monotonic() < end
        raw.take(raw.sock.recv(3000))


def send_trailers(raw, go):
    """Send more trailers than the limit."""
    raw.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, FIELDS))


def send_too_much(raw, go):
    """Send a body over the limit."""
    raw.send(frame(DATA, 0, 1, b"x" * 101))


def let_it_raise(raw, go):
    """Have the application raise an exception, or be cancelled."""
    go.set()


@pytest.mark.parametrize(
    ("way", "end"),
    [
        ("waits", send_trailers),
        ("waits", send_too_much),
        ("raises", let_it_raise),
        ("is cancelled", let_it_raise),
    ],
    ids=["trailers", "body", "exception", "cancellation"],
)
def test_resetting_a_slow_stream_keeps_the_others(way, end):
    streaming, go = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        if scope["method"] == "GET":
            await answer(send, b"hello")
            return
        await start(send)
        sender = asyncio.create_task(more(send, b"x" * (8 << 20)))
        streaming.set()
        await asyncio.to_thread(go.wait, DEADLINE_S)
        sender.cancel()
        if way == "raises":
            raise ValueError("while it streams")
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    limits = {"limit_body": 100, "limit_fields": 100}
    with Serving(app, **limits) as serving, Raw(Slow(serving), WIDE) as raw:
        raw.send(headers(1, POST, END_HEADERS))
        assert streaming.wait(DEADLINE_S)
        read_slowly(raw, lambda: len(raw.body(1)) > 100_000)
        end(raw, go)
        read_slowly(raw, lambda: raw.reset(1) is not None)
        assert raw.reset(1) is not None
        raw.send(headers(3))
        read_slowly(raw, lambda: raw.body(3))
        assert raw.body(3) == b"hello"
        assert raw.goaway() is None
        go.set()


def test_a_file_that_shrinks_ends_only_its_stream(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * (4 << 20))

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await answer(send, b"hello")
            return
        await start(send, headers=[(b"content-length", b"%d" % (4 << 20))])
        with path.open("rb") as file:
            await send({"type": "http.response.zerocopysend", "file": file})

    block = bytes.fromhex("8286410161") + b"\x44\x02/f"
    with (
        Serving(app, pathsend=True) as serving,
        Raw(Slow(serving), WIDE) as raw,
    ):
        raw.send(headers(1, block))
        read_slowly(raw, lambda: len(raw.body(1)) > 100_000)
        path.write_bytes(b"y" * 10)
        raw.send(headers(3))
        read_slowly(raw, lambda: raw.reset(1) is not None)
        assert raw.reset(1) == 2  # INTERNAL_ERROR
        assert len(raw.body(1)) < 4 << 20
        assert b"y" not in raw.body(1)
        read_slowly(raw, lambda: raw.body(3))
        assert raw.body(3) == b"hello"
        assert raw.goaway() is None
    assert any("was truncated" in text for _, text in serving.log.lines)


def test_a_stop_during_a_slow_download_completes():
    """The response is cut when the grace period ends; lifespan.shutdown follows."""
    seen, streaming = [], threading.Event()

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                kind = message["type"]
                seen.append(kind)
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        await start(send)
        streaming.set()
        await more(send, b"x" * (8 << 20))
        await more(send, b"x" * (8 << 20))

    limits = {"lifespan": "on", "timeout_graceful_shutdown": 1}
    with Serving(app, **limits) as serving, Raw(Slow(serving), WIDE) as raw:
        raw.send(headers(1))
        assert streaming.wait(DEADLINE_S)
        read_slowly(raw, lambda: len(raw.body(1)) > 100_000)
        serving.server.should_exit = True
        read_slowly(raw, lambda: raw.reset(1) is not None)
        assert raw.reset(1) is not None
    assert seen == ["lifespan.startup", "lifespan.shutdown"]
