"""Group F, first part: the handshake and messages.

Covers src/asgi/websocket/inbox.c, src/asgi/websocket/websocket.c,
src/asgi/websocket/websocket_read.c, src/asgi/websocket/websocket_receive.c and
src/asgi/websocket/websocket_send.c.
"""

import asyncio
import threading

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, request
from socketing import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONNECT,
    CONTINUATION,
    PING,
    PONG,
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


def test_F1_the_first_message_is_connect_and_101_waits_for_accept():
    go, asked = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        assert await receive() == CONNECT
        asked.set()
        await asyncio.to_thread(go.wait, DEADLINE_S)
        await send({"type": "websocket.accept"})
        await receive()

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(handshake())
        assert asked.wait(DEADLINE_S)
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        go.set()
        sock.settimeout(DEADLINE_S)
        assert sock.recv(65536).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")


def test_F2_accept_is_101_with_the_right_key():
    with talking(echo) as (peer, _):
        assert peer.status == 101
        assert peer.field("sec-websocket-accept") == ACCEPT
        assert peer.field("upgrade") == "websocket"
        assert peer.field("connection").lower() == "upgrade"


@pytest.mark.parametrize("subprotocol", ["chat.v1", None])
def test_F3_a_subprotocol_is_sent_in_a_field(subprotocol):
    async def app(scope, receive, send):
        await accept(receive, send, subprotocol=subprotocol)
        await receive()

    with talking(app, handshake(fields="Sec-WebSocket-Protocol: chat.v1\r\n")) as talk:
        assert talk[0].field("sec-websocket-protocol") == subprotocol


def test_F3_a_subprotocol_that_is_not_a_token_raises():
    failure = raised_by(
        {"type": "websocket.accept", "subprotocol": "a b"}, connecting=True
    )
    assert isinstance(failure, ValueError)


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "Sec-WebSocket-Protocol: chat.v1, chat\r\n",
        "Sec-WebSocket-Protocol: CHAT.V2\r\nSec-WebSocket-Protocol: chat.v22\r\n",
        'Sec-WebSocket-Protocol: "chat.v2"\r\n',
    ],
    ids=["none", "others", "another case", "quoted"],
)
def test_F3_a_subprotocol_that_was_not_offered_raises(fields):
    async def app(scope, receive, send):
        await accept(receive, send, subprotocol="chat.v2")

    with talking(app, handshake(fields=fields)) as (peer, serving):
        assert peer.status == 500
        assert peer.field("sec-websocket-protocol") is None
    (failure,) = serving.log.exceptions
    assert isinstance(failure, ValueError)
    assert "has not offered the subprotocol 'chat.v2'" in str(failure)


def test_F3_after_that_error_an_offered_one_may_be_accepted():
    async def app(scope, receive, send):
        with pytest.raises(ValueError):
            await accept(receive, send, subprotocol="x")
        await send({"type": "websocket.accept", "subprotocol": "chat"})

    with talking(app, handshake(fields="Sec-WebSocket-Protocol: a,chat\r\n")) as talk:
        assert talk[0].status == 101
        assert talk[0].field("sec-websocket-protocol") == "chat"


def test_F4_subprotocols_are_split_over_lines_and_trimmed():
    scope = scope_of(
        handshake(
            fields="Sec-WebSocket-Protocol: a , b\r\nSec-WebSocket-Protocol: c\r\n"
        )
    )
    assert scope["subprotocols"] == ["a", "b", "c"]


def scope_of(sent, **settings):
    """Return the scope that the application gets for the bytes ``sent``."""
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await accept(receive, send)

    with talking(app, sent, **settings):
        (scope,) = scopes
    return scope


def test_F5_headers_of_accept_are_in_the_101():
    headers = [(b"X-A", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]

    async def app(scope, receive, send):
        await accept(receive, send, headers=headers)

    with talking(app) as (peer, _):
        assert peer.fields[:3] == [
            ("x-a", "1"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ]


@pytest.mark.parametrize("name", [b"sec-websocket-protocol", b"Sec-WebSocket-Accept"])
def test_F5b_handshake_fields_in_headers_raise(name):
    message = {"type": "websocket.accept", "headers": [(name, b"x")]}
    assert isinstance(raised_by(message, connecting=True), ValueError)


def test_F7_the_scope_is_that_of_a_request_without_a_method():
    scope = scope_of(handshake("/a%20b?c=d"), root_path="/r")
    assert scope["type"] == "websocket"
    assert scope["scheme"] == "ws"
    assert "method" not in scope
    assert scope["http_version"] == "1.1"
    assert (scope["path"], scope["raw_path"]) == ("/r/a b", b"/a%20b")
    assert scope["query_string"] == b"c=d"
    assert scope["root_path"] == "/r"
    assert (b"upgrade", b"websocket") in scope["headers"]
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert scope["client"][0] == "127.0.0.1"
    assert scope["subprotocols"] == []
    assert scope["extensions"] == {"websocket.http.response": {}}


@pytest.mark.parametrize("loop", LOOPS)
def test_F8_text_is_str_and_binary_is_bytes(loop):
    heard = Received()
    with talking(listening(heard), loop=loop) as (peer, _):
        peer.send(TEXT, "é".encode())
        peer.send(BINARY, b"\xff")
        peer.send(CLOSE)
        assert heard.wait()[:2] == [
            {"type": "websocket.receive", "text": "é"},
            {"type": "websocket.receive", "bytes": b"\xff"},
        ]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_F9_an_empty_message_is_received_and_sent(opcode):
    with talking(echo) as (peer, _):
        peer.send(opcode)
        assert peer.frame() == (opcode, b"")


def test_F10_F11_F12_fragments_are_one_message_with_pings_between():
    with talking(echo) as (peer, _):
        peer.send(TEXT, b"a\xc3", fin=False)
        peer.send(PING, b"p")
        assert peer.frame() == (PONG, b"p")
        peer.send(CONTINUATION, b"\xa9", fin=False)
        peer.send(CONTINUATION, b"b")
        assert peer.frame() == (TEXT, "aéb".encode())


def test_F12_a_ping_is_answered_while_the_application_does_not_receive():
    go = threading.Event()

    async def app(scope, receive, send):
        await accept(receive, send)
        await asyncio.to_thread(go.wait, DEADLINE_S)

    with talking(app) as (peer, _):
        peer.send(PING, b"x")
        assert peer.frame() == (PONG, b"x")
        go.set()


def test_F13_an_unsolicited_pong_is_ignored():
    with talking(echo) as (peer, _):
        peer.send(PONG, b"x")
        peer.send(TEXT, b"y")
        assert peer.frame() == (TEXT, b"y")


def test_F14_a_silent_peer_is_pinged_and_disconnected():
    heard = Received()
    settings = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.2}
    with talking(listening(heard), **settings) as (peer, _):
        assert peer.frame() == (PING, b"")
        assert peer.close_code()[0] == 1011
        assert peer.ends()
        assert heard.wait()[-1]["code"] == 1011


def test_F14_a_peer_that_answers_pings_is_kept():
    with talking(echo, ws_ping_interval=0.1, ws_ping_timeout=60) as (peer, _):
        for _ in range(3):
            assert peer.frame() == (PING, b"")
            peer.send(PONG)
        peer.send(TEXT, b"x")
        while (got := peer.frame()) == (PING, b""):
            pass
        assert got == (TEXT, b"x")


@pytest.mark.parametrize(
    "sent, code",
    [
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xff", fin=False), 1007),
        (frame(BINARY, b"x" * 1001), 1009),
        (frame(TEXT, b"x" * 600, fin=False) + frame(CONTINUATION, b"x" * 600), 1009),
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(TEXT, b"x", rsv=4), 1002),
        (frame(TEXT, b"x", rsv=1), 1002),
        (frame(3, b"x"), 1002),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"x"), 1002),
        (frame(CLOSE, close_payload(1005)), 1002),
        (frame(CLOSE, close_payload(1000) + b"\xff"), 1007),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("step", [0, 1], ids=["whole", "byte by byte"])
def test_F15_F16_F17_F39_a_violation_closes_with_its_code(sent, code, step):
    heard = Received()
    with talking(listening(heard), ws_max_size=1000) as (peer, _):
        if step:
            for i in range(len(sent)):
                try:
                    peer.sock.sendall(sent[i : i + 1])
                except OSError:
                    break
        else:
            peer.sock.sendall(sent)
        assert peer.close_code()[0] == code
        assert peer.ends()
        (message,) = heard.wait()
    assert message["type"] == "websocket.disconnect"
    assert message["code"] == code


def test_F18_bytes_are_a_binary_frame_and_text_is_a_text_frame():
    async def act(receive, send):
        await send({"type": "websocket.send", "bytes": b"\x00", "text": None})
        await send({"type": "websocket.send", "text": "é" * 70000})
        await send({"type": "websocket.send", "bytes": memoryview(b"ab")})

    with talking(doing(Received(), act)) as (peer, _):
        assert peer.frame() == (BINARY, b"\x00")
        assert peer.frame() == (TEXT, ("é" * 70000).encode())
        assert peer.frame() == (BINARY, b"ab")


@pytest.mark.parametrize(
    "message, kind",
    [
        ({}, ValueError),
        ({"text": None, "bytes": None}, ValueError),
        ({"text": "a", "bytes": b"b"}, ValueError),
        ({"text": b"a"}, TypeError),
        ({"bytes": "a"}, TypeError),
        ({"text": "\ud800"}, UnicodeEncodeError),
    ],
    ids=["neither", "None", "both", "bytes", "str", "surrogate"],
)
def test_F19_an_invalid_message_raises(message, kind):
    assert isinstance(raised_by({"type": "websocket.send", **message}), kind)


@pytest.mark.parametrize(
    "changes, status",
    [
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "x"}, 400),
        ({"Sec_WebSocket_Version": None}, 400),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Content_Length": "1"}, 400),
    ],
    ids=["no key", "bad key", "no version", "version 8", "a body"],
)
def test_F37_a_wrong_handshake_is_rejected_without_the_application(changes, status):
    async def app(scope, receive, send):
        raise AssertionError("called")

    with talking(app, handshake(**changes)) as (peer, serving):
        assert peer.status == status
        assert peer.field("connection") == "close"
        if status == 426:
            assert peer.field("sec-websocket-version") == "13"
    assert serving.log.exceptions == []


@pytest.mark.parametrize(
    "sent",
    [
        handshake().replace(b"GET", b"POST"),
        handshake(Upgrade="h2c"),
        handshake(Connection="keep-alive"),
    ],
    ids=["method", "upgrade", "connection"],
)
def test_F38_F45_other_upgrades_are_requests(sent):
    async def app(scope, receive, send):
        await answer(send, scope["type"].encode())

    with Serving(app) as serving, serving.connect() as sock:
        assert Peer(sock, sent).status == 200


def test_F38_with_ws_none_a_handshake_is_a_request():
    async def app(scope, receive, send):
        await answer(send, scope["type"].encode())

    with talking(app, ws="none") as (peer, _):
        assert peer.status == 200


def test_F40_a_slow_application_pauses_reading():
    go, heard = threading.Event(), Received()

    async def act(receive, send):
        await asyncio.to_thread(go.wait, DEADLINE_S)
        while (message := await receive())["type"] == "websocket.receive":
            heard.messages.append(len(message["bytes"]))

    app = doing(heard, act)
    message = frame(BINARY, b"x" * 65536)
    with talking(app, ws_max_queue=4, ws_ping_interval=0) as (peer, _):
        peer.sock.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 1000:
                peer.sock.sendall(message)
                sent += 1
        peer.sock.settimeout(DEADLINE_S)
        go.set()
        assert sent < 1000  # the rest is in the kernel
        peer.sock.close()
        assert heard.wait()[:sent] == [65536] * sent


def test_F40_a_slow_client_pauses_sending():
    reached, heard = threading.Event(), Received()

    async def act(receive, send):
        async with asyncio.timeout(DEADLINE_S):
            try:
                async with asyncio.timeout(1):
                    while True:
                        await send({"type": "websocket.send", "bytes": b"x" * 65536})
                        heard.messages.append(1)
            except TimeoutError:
                reached.set()

    with talking(doing(heard, act)) as (peer, _):
        assert reached.wait(DEADLINE_S)
        for _ in heard.messages:
            assert peer.frame() == (BINARY, b"x" * 65536)


def test_F41_messages_sent_with_the_handshake_are_not_lost():
    sent = handshake() + frame(TEXT, b"a") + frame(BINARY, b"b" * 1000)
    with talking(echo, sent) as (peer, _):
        assert peer.frame() == (TEXT, b"a")
        assert peer.frame() == (BINARY, b"b" * 1000)


def test_F41_more_messages_than_the_queue_holds_are_not_lost():
    count = 500
    sent = handshake() + b"".join(frame(TEXT, b"%d" % i) for i in range(count))
    with talking(echo, sent, ws_max_queue=3) as (peer, _):
        for i in range(count):
            assert peer.frame() == (TEXT, b"%d" % i)


def test_a_pipelined_handshake_waits_for_the_request_before_it():
    """A handshake that is pipelined after a request waits for the response."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.sleep(0)
            await answer(send, b"first")
        else:
            await echo(scope, receive, send)

    with Serving(app) as serving, serving.connect() as sock:
        peer = Peer(sock, request() + handshake() + frame(TEXT, b"x"))
        assert peer.status == 200
        assert peer.take(5) == b"first"
        rest = peer.rest
        while b"\r\n\r\n" not in rest:
            rest += sock.recv(65536)
        head, _, peer.rest = rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert peer.frame() == (TEXT, b"x")
