"""F46 to F48: what happens to a WebSocket's call when its client disconnects.

Tests the table of docs/ASGI.md, "Clients that disconnect", cell by cell.
"""

import asyncio
import threading

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
from serving import DEADLINE_S, LOOPS, Serving
from socketing import CLOSE, TEXT, close_payload, frame, handshake, talking

ACCEPT = {"type": "websocket.accept"}


def go(peer, way):
    """Disconnect in the way that ``way`` names."""
    if way == "close":
        peer.send(CLOSE, close_payload(1000))
        peer.close_code()
    leave(peer.sock, way)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["close", "fin", "reset"])
def test_F46_a_call_that_only_waits_is_cancelled_after_the_disconnect(way, loop):
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await send(ACCEPT)
            await forever()

    settings = {"loop": loop, "timeout_disconnect": SOON_S}
    with talking(app, **settings) as (peer, serving):
        go(peer, way)
        assert calls.wait(lambda: calls.ends)
        assert has_connections(serving, 0)
    assert calls.ends == ["CancelledError"]
    assert serving.log.exceptions == [] and serving.log.errors() == []


@pytest.mark.parametrize("way", ["fin", "reset"])
@pytest.mark.parametrize("messages", [3, 4, 20], ids=["queued", "read", "unread"])
def test_F46_a_call_whose_queue_is_full_is_cancelled_too(messages, way):
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await send(ACCEPT)
            await forever()

    settings = {
        "timeout_disconnect": SOON_S,
        "ws_max_queue": 2,
        "ws_ping_interval": SOON_S,
    }
    with talking(app, **settings) as (peer, serving):
        for _ in range(messages):
            peer.send(TEXT, b"x" * 30_000)
        go(peer, way)
        assert calls.wait(lambda: calls.ends)
        assert has_connections(serving, 0)
    assert calls.ends == ["CancelledError"]
    assert serving.log.exceptions == [] and serving.log.errors() == []


def test_F46_all_earlier_messages_are_received():
    calls, got = Calls(), []

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await send(ACCEPT)
            while (message := await receive())["type"] != "websocket.disconnect":
                await asyncio.sleep(SOON_S / 2)
                got.append(message["text"])
            got.append(message["code"])

    settings = {"timeout_disconnect": SOON_S, "ws_max_queue": 2}
    with talking(app, **settings) as (peer, _):
        sent = b"".join(frame(TEXT, b"%d" % n) for n in range(6))
        peer.sock.sendall(sent + frame(CLOSE, close_payload(4000)))
        peer.sock.close()
        assert calls.wait(lambda: calls.ends)
    assert calls.ends == ["returned"]
    assert got == ["0", "1", "2", "3", "4", "5", 4000]


@pytest.mark.parametrize("way", ["close", "fin", "reset"])
def test_F47_a_call_that_received_the_disconnect_may_clean_up_for_long(way):
    calls, clean = Calls(), threading.Event()

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await send(ACCEPT)
            assert (await receive())["type"] == "websocket.disconnect"
            await until(clean)

    with talking(app, timeout_disconnect=SOON_S) as (peer, serving):
        go(peer, way)
        assert not calls.wait(lambda: calls.ends, MUCH_LATER_S)
        assert has_connections(serving, 0)
        clean.set()
        assert calls.wait(lambda: calls.ends)
    assert calls.ends == ["returned"]


def test_F47_a_call_that_has_closed_the_websocket_is_not_cancelled():
    calls, done = Calls(), threading.Event()

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await send(ACCEPT)
            await send({"type": "websocket.close"})
            await until(done)

    with talking(app, timeout_disconnect=SOON_S) as (peer, _):
        assert peer.close_code()[0] == 1000
        peer.send(CLOSE, close_payload(1000))
        peer.sock.close()
        assert not calls.wait(lambda: calls.ends, MUCH_LATER_S)
        done.set()
        assert calls.wait(lambda: calls.ends)
    assert calls.ends == ["returned"]


@pytest.mark.parametrize("way", ["fin", "reset"])
def test_F48_a_call_is_never_cancelled_before_it_accepts(way):
    calls, go_on = Calls(), threading.Event()

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await until(go_on)

    with Serving(app, timeout_disconnect=SOON_S) as serving:
        with serving.connect() as sock:
            sock.sendall(handshake())
            assert calls.wait(lambda: calls.running)
            leave(sock, way)
        assert not calls.wait(lambda: calls.ends, MUCH_LATER_S)
        assert has_connections(serving, 0)
        go_on.set()
        assert calls.wait(lambda: calls.ends, DEADLINE_S)


class WebSocketDisconnect(Exception):
    """An application's own exception, as Starlette defines it."""

    def __init__(self, code):
        self.code = code


@pytest.mark.parametrize("way", ["close", "fin"])
def test_F47_an_exception_that_reports_only_the_disconnect_is_not_logged(way):
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await send(ACCEPT)
            message = await receive()
            raise WebSocketDisconnect(message["code"])

    with talking(app) as (peer, serving):
        go(peer, way)
        assert calls.wait(lambda: calls.ends)
    assert serving.log.exceptions == [] and serving.log.errors() == []


@pytest.mark.parametrize(
    "failure",
    [WebSocketDisconnect(4321), ValueError("a bug"), ExceptionGroup("", [KeyError()])],
)
def test_F47_any_other_exception_is_logged(failure):
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await receive()
            await send(ACCEPT)
            await receive()
            raise failure

    with talking(app) as (peer, serving):
        go(peer, "close")
        assert calls.wait(lambda: calls.ends)
    assert serving.log.exceptions == [failure]


def test_F47_the_loop_of_fastapi_s_tutorial_logs_no_disconnect():
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    @app.websocket("/")
    async def socket(websocket: fastapi.WebSocket):
        await websocket.accept()
        while True:
            data = await websocket.receive_text()
            await websocket.send_text(f"Message text was: {data}")

    with talking(app) as (peer, serving):
        peer.send(TEXT, b"x")
        peer.frame()
        go(peer, "fin")
        assert has_connections(serving, 0)
    assert serving.log.exceptions == [] and serving.log.errors() == []
