"""E52 to E58: what happens to a call whose client disconnects, by response progress.

Tests the table of docs/ASGI.md, "Clients that disconnect", cell by cell.

Covers src/asgi/orphan.c.
"""

import asyncio
import contextlib
import os
import socket
import threading
import time

import pytest
from leaving import (
    MUCH_LATER_S,
    SOON_S,
    Calls,
    forever,
    has_connections,
    leave,
    until,
)
from serving import (
    DEADLINE_S,
    LOOPS,
    Serving,
    answer,
    more,
    read_answer,
    read_until,
    request,
    start,
)
from talking_h2 import talk

PATIENCE = int(os.environ.get("PATIENCE", "1"))
CHUNKED = ()
LENGTH = ((b"content-length", b"100"),)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("headers", [CHUNKED, LENGTH], ids=["chunked", "length"])
@pytest.mark.parametrize("way", ["fin", "reset"])
def test_E52_a_waiting_response_is_cancelled_after_the_disconnect(
    way, headers, version, loop
):
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await start(send, headers=headers)
            await more(send, b"x")
            await forever()

    with Serving(app, loop=loop, timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(request(version=version))
            read_until(sock, b"x")
            leave(sock, way)
        left = time.monotonic()
        assert calls.wait(lambda: calls.ends)
        assert time.monotonic() - left >= SOON_S * 0.9
        assert has_connections(serving, 0)
    assert calls.ends == ["CancelledError"]
    assert serving.log.exceptions == [] and serving.log.errors() == []
    assert serving.loop_errors == []


@pytest.mark.parametrize("way", ["fin", "reset"])
def test_E53_a_response_that_has_not_started_is_never_cancelled(way):
    calls, paid = Calls(), threading.Event()

    async def app(scope, receive, send):
        with calls.watch():
            await until(paid)
            with contextlib.suppress(OSError):
                await answer(send, b"paid")

    with Serving(app, timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            assert calls.wait(lambda: calls.running)
            leave(sock, way)
        assert has_connections(serving, 0), "the slot is freed while the call runs"
        assert not calls.wait(lambda: calls.ends, MUCH_LATER_S)
        paid.set()
        assert calls.wait(lambda: calls.ends)
    assert calls.ends == ["returned"]


@pytest.mark.parametrize("way", ["fin", "reset"])
def test_E54_work_after_a_complete_response_is_never_cancelled(way):
    calls, done = Calls(), threading.Event()

    async def app(scope, receive, send):
        with calls.watch():
            await answer(send, b"x")
            await until(done)

    with Serving(app, timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"x")
            leave(sock, way)
        assert has_connections(serving, 0)
        assert not calls.wait(lambda: calls.ends, MUCH_LATER_S)
        done.set()
        assert calls.wait(lambda: calls.ends)
    assert calls.ends == ["returned"]


def test_E55_a_half_closed_client_gets_a_slow_response_whole():
    async def app(scope, receive, send):
        await start(send)
        for part in (b"one", b"two", b"three"):
            await more(send, part)
            await asyncio.sleep(MUCH_LATER_S)
        await send({"type": "http.response.body", "body": b"end"})

    with Serving(app, timeout_disconnect=SOON_S) as serving, serving.connect() as sock:
        sock.sendall(request())
        sock.shutdown(socket.SHUT_WR)
        got = read_answer(sock)
    assert got.is_whole and got.body == b"onetwothreeend"


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_E55_a_half_closed_client_may_wait_for_the_response_to_start(version):
    async def app(scope, receive, send):
        await asyncio.sleep(MUCH_LATER_S)
        await answer(send, b"late")

    with Serving(app, timeout_disconnect=SOON_S) as serving, serving.connect() as sock:
        sock.sendall(request(version=version))
        sock.shutdown(socket.SHUT_WR)
        got = read_answer(sock)
    assert got.status == 200 and got.body == b"late"


def test_E56_a_timeout_of_0_never_cancels():
    calls, go_on = Calls(), threading.Event()

    async def app(scope, receive, send):
        with calls.watch():
            await start(send)
            await more(send, b"x")
            await until(go_on)
            with contextlib.suppress(OSError):
                await more(send, b"x")

    with Serving(app, timeout_disconnect=0) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"x")
            leave(sock, "reset")
        assert has_connections(serving, 0)
        assert not calls.wait(lambda: calls.ends, MUCH_LATER_S)
        go_on.set()
        assert calls.wait(lambda: calls.ends)
    assert calls.ends == ["returned"]


@pytest.mark.parametrize("loop", LOOPS)
def test_E57_a_call_that_ignores_the_cancellation_is_cancelled_again(loop):
    calls, swallowed = Calls(), []

    async def app(scope, receive, send):
        with calls.watch():
            await start(send)
            await more(send, b"x")
            try:
                await forever()
            except asyncio.CancelledError:
                swallowed.append(time.monotonic())
            await forever()

    with Serving(app, loop=loop, timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"x")
        assert calls.wait(lambda: calls.ends)
        again = time.monotonic() - swallowed[0]
    assert calls.ends == ["CancelledError"]
    assert again >= 2 * SOON_S * 0.9, "it had time to clean up"


@pytest.mark.parametrize("loop", LOOPS)
def test_E57_shielded_work_continues(loop):
    calls, done = Calls(), threading.Event()

    async def work():
        await asyncio.sleep(MUCH_LATER_S)
        done.set()

    async def app(scope, receive, send):
        with calls.watch():
            await start(send)
            await more(send, b"x")
            await asyncio.shield(asyncio.create_task(work()))

    with Serving(app, loop=loop, timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"x")
        assert calls.wait(lambda: calls.ends)
        assert done.wait(DEADLINE_S)
    assert calls.ends == ["CancelledError"]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("inside", ["send", "receive"])
def test_E57_a_pending_send_or_receive_reports_the_disconnect(inside, loop):
    calls, heard = Calls(), []

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await start(send)
            await more(send, b"x")
            if inside == "receive":
                heard.append((await receive())["type"])
                return
            try:
                while True:
                    await more(send, b"x" * 65536)
            except OSError as exc:
                heard.append(type(exc).__name__)

    with Serving(app, loop=loop, timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"x")
            time.sleep(0.1)
            leave(sock, "reset")
        assert calls.wait(lambda: calls.ends)
    assert calls.ends == ["returned"]
    assert heard == ["http.disconnect" if inside == "receive" else "ClientDisconnected"]


def test_E57_a_call_that_ignores_errors_of_send_is_cancelled():
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await start(send)
            while True:
                with contextlib.suppress(OSError):
                    await more(send, b"x")
                await asyncio.sleep(0.01)

    with Serving(app, timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"x")
        assert calls.wait(lambda: calls.ends)
    assert calls.ends == ["CancelledError"]


def test_E58_a_disconnect_is_noticed_even_after_unread_data():
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await start(send)
            await more(send, b"x")
            await forever()

    with Serving(app, timeout_disconnect=SOON_S) as serving:
        for rest in (b"y" * 70_000, b"y" * 8_000_000):
            with serving.connect() as sock:
                fields = "Content-Length: 9000000\r\n"
                sock.sendall(request(method="POST", fields=fields))
                read_until(sock, b"x")
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while rest:
                        rest = rest[sock.send(rest) :]
            assert calls.wait(lambda: calls.ends)
            assert calls.ends.pop() == "CancelledError"
            assert has_connections(serving, 0)


def test_E58_the_slots_of_disconnected_clients_are_freed():
    calls = Calls()

    async def app(scope, receive, send):
        if scope["path"] == "/quick":
            return await answer(send, b"here")
        with calls.watch():
            await start(send)
            await more(send, b"x")
            await forever()

    with Serving(app, timeout_disconnect=SOON_S, limit_concurrency=8) as serving:
        for _ in range(8):
            with serving.connect() as sock:
                sock.sendall(request())
                read_until(sock, b"x")
        assert has_connections(serving, 0)
        assert serving.ask("/quick").body == b"here"
        assert calls.wait(lambda: not calls.running)


@pytest.mark.parametrize("way", ["RST_STREAM", "fin", "reset"])
@pytest.mark.parametrize("state", ["not begun", "streaming", "complete"])
def test_E52_E53_E54_streams_of_http2_behave_the_same(state, way):
    calls, go_on = Calls(), threading.Event()

    async def app(scope, receive, send):
        with calls.watch():
            if state != "not begun":
                await start(send)
                await send(
                    {
                        "type": "http.response.body",
                        "body": b"x",
                        "more_body": state == "streaming",
                    }
                )
            if state == "streaming":
                await forever()
            await until(go_on)

    with Serving(app, timeout_disconnect=SOON_S) as serving, talk(serving) as peer:
        stream = peer.ask()
        assert calls.wait(lambda: calls.running)
        if state != "not begun":
            peer.until(lambda: peer.streams[stream].body)
        if way == "RST_STREAM":
            if state != "complete":
                peer.h2.reset_stream(stream, 8)
                peer.flush()
        else:
            leave(peer.sock, way)
        if state == "streaming":
            assert calls.wait(lambda: calls.ends)
            assert calls.ends == ["CancelledError"]
        else:
            assert not calls.wait(lambda: calls.ends, MUCH_LATER_S)
        if way != "RST_STREAM":
            assert has_connections(serving, 0)
        go_on.set()
        assert calls.wait(lambda: calls.ends)
    assert serving.log.exceptions == []


@pytest.mark.parametrize("loop", LOOPS)
def test_E58_a_thousand_clients_leave_nothing_allocated(loop):
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await start(send)
            await more(send, b"x")
            if scope["path"] == "/busy":
                while True:
                    await more(send, b"x")
                    await asyncio.sleep(0.05)
            await forever()

    with Serving(app, loop=loop, timeout_disconnect=SOON_S) as serving:
        for path in ("/idle", "/busy"):
            for way in ("fin", "reset"):
                socks = [serving.connect() for _ in range(250)]
                for sock in socks:
                    sock.sendall(request(path))
                for sock in socks:
                    read_until(sock, b"x")
                for sock in socks:
                    leave(sock, way)
        left = time.monotonic()
        assert calls.wait(lambda: not calls.running)
        assert has_connections(serving, 0)
        assert time.monotonic() - left < 2 * PATIENCE
    assert len(calls.ends) == 1000
