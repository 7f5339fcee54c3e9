"""Group F, third part: how a WebSocket ends, and the order of messages.

Covers src/asgi/websocket/websocket_end.c.
"""

import asyncio
import socket
import threading
import time

import pytest
from serving import DEADLINE_S, LOOPS, Serving
from socketing import (
    CLOSE,
    CONNECT,
    TEXT,
    Peer,
    Received,
    accept,
    close_payload,
    doing,
    echo,
    frame,
    handshake,
    listening,
    raised_by,
    talking,
)


def test_F6_a_send_after_the_client_s_close_raises_an_oserror():
    heard = Received()

    async def then(receive, send):
        await send({"type": "websocket.send", "text": "x"})

    with talking(listening(heard, then=then)) as (peer, serving):
        peer.send(CLOSE, close_payload(1000))
        heard.wait()
    (failure,) = heard.failures
    assert isinstance(failure, OSError)
    assert type(failure).__name__ == "ClientDisconnected"
    assert serving.log.exceptions == []


def test_F6_a_send_after_our_close_raises_the_same():
    failure = raised_by(
        {"type": "websocket.close"}, {"type": "websocket.send", "text": "x"}
    )
    assert type(failure).__name__ == "ClientDisconnected"


def test_F20_the_application_receives_the_client_s_code_and_reason():
    heard = Received()
    with talking(listening(heard)) as (peer, _):
        peer.send(CLOSE, close_payload(4001, "bye"))
        assert peer.close_code()[0] == 4001
        assert peer.ends()
        assert heard.wait() == [
            {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
        ]


def test_F21_a_close_without_a_code_is_1005():
    heard = Received()
    with talking(listening(heard)) as (peer, _):
        peer.send(CLOSE)
        assert heard.wait() == [
            {"type": "websocket.disconnect", "code": 1005, "reason": ""}
        ]


def test_F22_a_lost_connection_is_1006():
    heard = Received()
    with talking(listening(heard)) as (peer, _):
        peer.sock.close()
        assert heard.wait() == [
            {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        ]


def test_F23_a_close_before_accept_is_403():
    heard = Received()

    async def app(scope, receive, send):
        assert await receive() == CONNECT
        await send({"type": "websocket.close", "code": 4000})
        heard.messages.append(await receive())
        heard.ended.set()

    with talking(app) as (peer, _):
        assert peer.status == 403
        assert heard.wait() == [
            {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        ]


@pytest.mark.parametrize(
    "message",
    [
        {"code": 403},
        {"code": 0},
        {"code": 1005, "reason": "no"},
        {"code": 1 << 70, "reason": 5},
        {"code": "nonsense", "reason": "\ud800"},
        {"code": None, "reason": "é" * 1000},
    ],
    ids=str,
)
def test_F23_a_close_before_accept_is_403_for_any_code_and_reason(message):
    async def app(scope, receive, send):
        assert await receive() == CONNECT
        await send({"type": "websocket.close", **message})

    with talking(app) as (peer, serving):
        assert peer.status == 403
    assert serving.log.exceptions == [] and serving.log.errors() == []


@pytest.mark.parametrize(
    "message, wanted",
    [
        ({}, (1000, "")),
        ({"code": 4000, "reason": "é"}, (4000, "é")),
        ({"code": None, "reason": None}, (1000, "")),
    ],
    ids=["default", "given", "None"],
)
def test_F24_F25_a_close_is_a_frame_and_then_disconnect(message, wanted):
    heard = Received()

    async def act(receive, send):
        await send({"type": "websocket.close", **message})
        heard.messages.append(await receive())
        heard.messages.append(await receive())

    with talking(doing(heard, act)) as (peer, _):
        assert peer.close_code() == wanted
        peer.send(CLOSE, close_payload(wanted[0]))
        assert peer.ends()
        last = {"type": "websocket.disconnect", "code": wanted[0], "reason": wanted[1]}
        assert heard.wait() == [last, last]


def test_F26_messages_after_our_close_are_dropped():
    heard, go = Received(), threading.Event()

    async def act(receive, send):
        await asyncio.to_thread(go.wait, DEADLINE_S)
        await send({"type": "websocket.close"})
        heard.messages.append(await receive())

    with talking(doing(heard, act)) as (peer, _):
        peer.send(TEXT, b"early")
        go.set()
        assert peer.close_code()[0] == 1000
        peer.send(TEXT, b"late")
        peer.send(CLOSE, close_payload(1000))
        assert peer.ends()
        (message,) = heard.wait()
        assert message["type"] == "websocket.disconnect"


def test_F27_receive_returns_disconnect_repeatedly():
    heard = Received()

    async def then(receive, send):
        heard.messages += [await receive(), await receive()]

    with talking(listening(heard, then=then)) as (peer, _):
        peer.send(CLOSE, close_payload(1000))
        assert len({str(x) for x in heard.wait()}) == 1
        assert len(heard.messages) == 3


def test_F28_an_exception_before_accept_is_500_and_logged():
    async def app(scope, receive, send):
        raise ValueError("no")

    with talking(app) as (peer, serving):
        assert peer.status == 500
    assert [type(x) for x in serving.log.exceptions] == [ValueError]


def test_F29_an_exception_after_accept_is_1011_and_logged():
    async def app(scope, receive, send):
        await accept(receive, send)
        raise ValueError("no")

    with talking(app) as (peer, serving):
        assert peer.close_code() == (1011, "")
        peer.send(CLOSE, close_payload(1011))
        assert peer.ends()
    assert [type(x) for x in serving.log.exceptions] == [ValueError]


def test_F30_a_return_before_accept_is_500_and_logged():
    async def app(scope, receive, send):
        await receive()

    with talking(app) as (peer, serving):
        assert peer.status == 500
    assert "without an answer" in serving.log.errors()[0]


def test_F31_a_return_after_accept_closes_with_1000():
    async def app(scope, receive, send):
        await accept(receive, send)

    with talking(app) as (peer, serving):
        assert peer.close_code() == (1000, "")
        peer.send(CLOSE, close_payload(1000))
        assert peer.ends()
    assert serving.log.errors() == []


def test_F32_a_disconnect_before_accept_is_harmless():
    heard = Received()

    async def app(scope, receive, send):
        assert await receive() == CONNECT
        heard.messages.append(await receive())
        try:
            await send({"type": "websocket.accept"})
        finally:
            heard.ended.set()

    with Serving(app) as serving:
        with serving.connect() as sock:
            sock.sendall(handshake())
        assert heard.wait() == [
            {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        ]
    assert serving.log.exceptions == [] and serving.log.errors() == []


def test_F33_a_message_before_accept_raises():
    message = {"type": "websocket.send", "text": "x"}
    assert isinstance(raised_by(message, connecting=True), RuntimeError)


def test_F34_a_second_accept_raises():
    assert isinstance(raised_by({"type": "websocket.accept"}), RuntimeError)


@pytest.mark.parametrize("kind", ["http.response.start", "websocket.nonsense"])
def test_F35_a_message_that_is_not_for_websockets_raises(kind):
    assert isinstance(raised_by({"type": kind, "status": 200}), RuntimeError)


def test_F36_a_stop_closes_with_1001():
    heard = Received()
    with talking(listening(heard)) as (peer, serving):
        serving.server.should_exit = True
        assert peer.close_code()[0] == 1001
        peer.send(CLOSE, close_payload(1001))
        assert peer.ends()
        assert heard.wait()[-1]["code"] == 1001


def test_F36_a_stop_closes_one_that_is_accepted_later_with_1001():
    got = []

    async def app(scope, receive, send):
        await receive()
        serving.server.should_exit = True
        await asyncio.sleep(0.3)
        await send({"type": "websocket.accept"})
        got.append(await receive())

    with Serving(app) as serving, serving.connect() as sock:
        peer = Peer(sock, handshake())
        assert peer.close_code()[0] == 1001
        peer.send(CLOSE, close_payload(1001))
        assert peer.ends()
    assert [(m["type"], m["code"]) for m in got] == [("websocket.disconnect", 1001)]


def test_F42_a_peer_that_does_not_answer_our_close_is_disconnected():
    async def app(scope, receive, send):
        await accept(receive, send)

    with talking(app, ws_close_timeout=0.2) as (peer, _):
        assert peer.close_code() == (1000, "")
        assert peer.ends()


@pytest.mark.parametrize("code", [1005, 1006, 999, 0, 5000, 1 << 40, -1])
def test_F43_a_reserved_code_raises(code):
    failure = raised_by({"type": "websocket.close", "code": code})
    assert isinstance(failure, ValueError)


def test_F44_a_long_reason_is_cut_between_characters():
    async def app(scope, receive, send):
        await accept(receive, send)
        await send({"type": "websocket.close", "reason": "é" * 100})

    with talking(app) as (peer, _):
        assert peer.close_code() == (1000, "é" * 61)


def test_a_client_that_ends_its_side_without_a_close_frame_is_1006():
    heard = Received()
    with talking(listening(heard)) as (peer, _):
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.ends()
        assert heard.wait() == [
            {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        ]


def test_a_close_is_noticed_while_a_send_waits_for_a_client_that_does_not_read():
    heard, blocks = Received(), threading.Event()

    async def act(receive, send):
        asyncio.get_running_loop().call_later(0.2, blocks.set)
        while True:
            await send({"type": "websocket.send", "bytes": b"x" * (1 << 20)})

    with talking(doing(heard, act)) as (peer, serving):
        assert blocks.wait(DEADLINE_S)
        peer.send(CLOSE, close_payload(1000))
        heard.wait()
        (failure,) = heard.failures
        assert type(failure).__name__ == "ClientDisconnected"
        peer.sock.close()
    assert serving.log.exceptions == []


def test_a_client_that_does_not_read_is_disconnected_after_our_close():
    heard = Received()

    async def act(receive, send):
        await send({"type": "websocket.send", "bytes": b"x" * (16 << 20)})

    settings = {"timeout_send": 0.5, "ws_close_timeout": 0.2}
    with talking(doing(heard, act), **settings) as (_peer, serving):
        end = time.monotonic() + DEADLINE_S
        while serving.server.tallies.read(0)["connections"]:
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "last, code",
    [(frame(CLOSE, close_payload(1000)), 1000), (frame(3, b"x"), 1002)],
    ids=["a close", "a broken rule"],
)
def test_messages_right_before_the_end_are_answered_first(loop, last, code):
    with talking(echo, loop=loop) as (peer, _):
        peer.send(TEXT, b"first")
        assert peer.frame() == (TEXT, b"first")
        peer.sock.sendall(frame(TEXT, b"a") + frame(TEXT, b"b") + last)
        assert [peer.frame(), peer.frame()] == [(TEXT, b"a"), (TEXT, b"b")]
        assert peer.close_code()[0] == code
        assert peer.ends()


@pytest.mark.parametrize("key", ["text", "bytes"])
def test_F18_a_subclass_is_sent_as_a_copy(key):
    gone = []
    plain = {"text": str, "bytes": bytes}[key]
    content = {"text": "x", "bytes": b"x"}[key] * 100_000
    noisy = type("Noisy", (plain,), {"__del__": lambda self: gone.append(1)})

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        message = {"type": "websocket.send", key: noisy(content)}
        waits = send(message)
        message.clear()
        assert gone == [1]
        await waits

    with talking(app) as (peer, serving):
        assert len(peer.frame()[1]) == 100_000
    assert serving.log.exceptions == []
