"""WebSockets over HTTP/2 (RFC 8441): a stream is the tunnel."""

import asyncio
import struct
import threading

import hpack
import pytest
from rawclient import Raw
from rawframes import (
    END_HEADERS,
    END_STREAM,
    PROTOCOL_ERROR,
    RST_STREAM,
    SETTINGS,
    headers,
    settings,
)
from serving import DEADLINE_S, Serving, answer
from socketing import (
    BINARY,
    CLOSE,
    TEXT,
    Received,
    accept,
    close_payload,
    echo,
    frame,
    listening,
)
from talking_h2 import talk


def connect(path="/", fields=(), **changes):
    """Return the fields of an extended CONNECT."""
    pseudo = {
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "http",
        ":authority": "a",
        ":path": path,
        **changes,
    }
    usual = [("sec-websocket-version", "13"), *fields]
    return [(n, v) for n, v in pseudo.items() if v is not None] + usual


class Tunnel:
    """A WebSocket on one stream."""

    def __init__(self, client, fields=(), path="/"):
        self.client = client
        self.id = client.ask(connect(path, fields), ends=False)
        self.stream = client.streams[self.id]
        client.until(lambda: self.stream.fields or self.stream.ended)
        self.taken = 0

    def send(self, opcode, payload=b""):
        """Send a frame."""
        self.client.send(self.id, frame(opcode, payload))

    def take(self, n):
        """Return the next bytes."""
        self.client.until(lambda: len(self.stream.body) >= self.taken + n)
        self.taken += n
        return self.stream.body[self.taken - n : self.taken]

    def frame(self):
        """Return opcode and payload of the next frame."""
        first, size = self.take(2)
        if size == 126:
            (size,) = struct.unpack("!H", self.take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.take(8))
        return first & 15, self.take(size)


def test_the_setting_is_sent():
    with Serving(echo) as serving, Raw(serving) as raw:
        raw.until(lambda: raw.of(SETTINGS))
        payload = raw.of(SETTINGS)[0][3]
        pairs = [
            struct.unpack("!HI", payload[n : n + 6]) for n in range(0, len(payload), 6)
        ]
        assert dict(pairs)[8] == 1


def test_the_scope_is_that_of_a_websocket():
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await accept(receive, send, subprotocol="b", headers=[(b"x-own", b"1")])

    fields = [("sec-websocket-protocol", "a, b"), ("origin", "http://a")]
    with Serving(app) as serving, talk(serving) as client:
        stream = client.ask(connect("/caf%C3%A9?q=1", fields), ends=False)
        found = client.finish(stream)
    (scope,) = scopes
    assert (scope["type"], scope["http_version"], scope["scheme"]) == (
        "websocket",
        "2",
        "ws",
    )
    assert (scope["path"], scope["raw_path"]) == ("/café", b"/caf%C3%A9")
    assert scope["query_string"] == b"q=1"
    assert scope["subprotocols"] == ["a", "b"]
    assert "method" not in scope
    assert tuple(scope["headers"][0]) == (b"host", b"a")
    assert (b"origin", b"http://a") in [tuple(f) for f in scope["headers"]]
    assert (found.status, found.field("sec-websocket-protocol")) == (200, "b")
    assert found.field("x-own") == "1"
    names = [n for n, _ in found.fields]
    assert not {"upgrade", "connection", "sec-websocket-accept"} & set(names)
    assert [tuple(f) for f in scope["headers"]][-2:] == [
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
    ]


KEY = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ([], None),
        ([KEY], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ([KEY, KEY], None),
        ([("sec-websocket-key", "short")], None),
    ],
)
def test_a_key_forwarded_by_a_proxy_is_accepted(fields, accepted):
    """HTTP/2 does not need the key (RFC 8441 5); a client may wait for it (RFC 6455
    4.2.2).
    """
    with Serving(echo) as serving, talk(serving) as client:
        tunnel = Tunnel(client, fields)
        assert tunnel.stream.status == 200
        assert tunnel.stream.field("sec-websocket-accept") == accepted
        tunnel.send(TEXT, b"hello")
        assert tunnel.frame() == (TEXT, b"hello")


def test_socket_io_works_over_websocket_only():
    """python-engineio checks the scope for the fields of HTTP/1.1."""
    socketio = pytest.importorskip("socketio")
    sio = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])

    @sio.on("hello")
    async def hello(sid, data):
        return f"got {data}"

    app = socketio.ASGIApp(sio)
    path = "/socket.io/?EIO=4&transport=websocket"
    with Serving(app) as serving, talk(serving) as client:
        tunnel = Tunnel(client, path=path)
        assert tunnel.stream.status == 200
        assert tunnel.frame()[1].startswith(b'0{"sid"')
        tunnel.send(TEXT, b"40")
        assert tunnel.frame()[1].startswith(b'40{"sid"')
        tunnel.send(TEXT, b'421["hello","you"]')
        assert tunnel.frame()[1] == b'431["got you"]'


@pytest.mark.parametrize(
    ("changes", "settings", "status"),
    [
        ({}, {"ws": "none"}, 501),
        ({"sec-websocket-version": None}, {}, 400),
        ({"sec-websocket-version": "8"}, {}, 426),
    ],
    ids=["none", "no version", "another version"],
)
def test_a_handshake_that_is_rejected_ends_no_other_request(changes, settings, status):
    """HTTP/1 closes the connection after it, but here others share the connection."""

    async def app(scope, receive, send):
        await answer(send, scope["type"].encode())

    fields = dict(connect()) | changes
    with Serving(app, **settings) as serving, talk(serving) as client:
        head = [(n, v) for n, v in fields.items() if v is not None]
        assert client.finish(client.ask(head, ends=False)).status == status
        assert client.get().body == b"http"


def test_a_websocket_is_no_error_of_the_client_if_they_are_switched_off():
    with Serving(echo, ws="none") as serving, talk(serving) as client:
        reply = client.finish(client.ask(connect(), ends=False))
        assert (reply.status, reply.body) == (501, b"WebSockets are not served\n")
        assert not [text for level, text in serving.log.lines if level >= 30]


def test_the_scope_of_a_request_has_no_upgrade():
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    with Serving(app) as serving, talk(serving) as client:
        assert client.get().status == 200
    assert not {b"upgrade", b"connection"} & {n for n, _ in scopes[0]["headers"]}


def test_messages_and_requests_share_a_connection():
    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            return await echo(scope, receive, send)
        return await answer(send, b"hello")

    with Serving(app) as serving, talk(serving) as client:
        sockets = [Tunnel(client) for _ in range(3)]
        for n, socket in enumerate(sockets):
            socket.send(TEXT, b"text %d" % n)
        assert client.get().body == b"hello"
        for n, socket in enumerate(sockets):
            assert socket.frame() == (TEXT, b"text %d" % n)
        big = b"x" * 300_000
        sockets[0].send(TEXT, big)
        assert sockets[0].frame() == (TEXT, big)


def test_a_close_ends_the_stream_and_not_the_connection():
    heard = Received()
    with Serving(listening(heard)) as serving, talk(serving) as client:
        socket = Tunnel(client)
        socket.send(CLOSE, close_payload(1000, "done"))
        opcode, payload = socket.frame()
        assert (opcode, payload[:2]) == (CLOSE, close_payload(1000))
        client.until(lambda: socket.stream.ended or socket.stream.reset is not None)
        assert heard.wait()[-1]["code"] == 1000
        client.ping()
        assert client.goaway is None


@pytest.mark.parametrize("how", ["end", "reset", "connection"])
def test_a_lost_stream_is_1006(how):
    heard = Received()
    with Serving(listening(heard)) as serving, talk(serving) as client:
        socket = Tunnel(client)
        if how == "end":
            client.send(socket.id, b"", ends=True)
        elif how == "reset":
            client.h2.reset_stream(socket.id, 8)
            client.flush()
        else:
            client.sock.close()
        assert heard.wait()[-1]["type"] == "websocket.disconnect"
        assert heard.messages[-1]["code"] in (1005, 1006)


def test_a_denial_is_a_response():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.close"})

    with Serving(app) as serving, talk(serving) as client:
        assert Tunnel(client).stream.status == 403


def test_a_denial_may_be_sent_by_the_application():
    async def app(scope, receive, send):
        await receive()
        head = {"type": "websocket.http.response.start", "status": 401}
        await send({**head, "headers": [(b"x-why", b"1")]})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    with Serving(app) as serving, talk(serving) as client:
        stream = client.finish(client.ask(connect(), ends=False))
        assert (stream.status, stream.body) == (401, b"no")


def test_an_unsupported_protocol_is_501():
    with Serving(echo) as serving, talk(serving) as client:
        fields = connect(**{":protocol": "bogus"})
        assert client.finish(client.ask(fields, ends=False)).status == 501


@pytest.mark.parametrize("name", ["connection", "upgrade"])
def test_connection_fields_of_http_1_are_malformed(name):
    with Serving(echo) as serving, talk(serving) as client:
        stream = client.ask(connect(fields=[(name, "upgrade")]), ends=False)
        assert client.finish(stream).reset == PROTOCOL_ERROR


def test_a_send_waits_for_the_window():
    ended, waits = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        await accept(receive, send)
        sending = asyncio.ensure_future(
            send({"type": "websocket.send", "bytes": b"x" * 1_000_000})
        )
        await asyncio.wait([sending], timeout=0.2)
        again = asyncio.ensure_future(send({"type": "websocket.send", "bytes": b"y"}))
        await asyncio.wait([again], timeout=0.2)
        if not again.done():
            waits.set()
        await sending
        await again
        ended.set()

    with Serving(app) as serving, talk(serving, acks=False) as client:
        socket = Tunnel(client)
        assert waits.wait(DEADLINE_S)
        client.h2.increment_flow_control_window(1 << 21)
        client.h2.increment_flow_control_window(1 << 21, socket.id)
        client.flush()
        assert len(socket.frame()[1]) == 1_000_000
        assert socket.frame()[1] == b"y"
        assert ended.wait(DEADLINE_S)


def test_a_stop_closes_with_1012_or_1001():
    heard = Received()
    with Serving(listening(heard)) as serving, talk(serving) as client:
        socket = Tunnel(client)
        serving.server.should_exit = True
        opcode, payload = socket.frame()
        assert opcode == CLOSE
        assert struct.unpack("!H", payload[:2])[0] in (1001, 1012)
        socket.send(CLOSE, payload[:2])
        client.until(lambda: client.closed)
        assert client.goaway == 0


def test_a_connect_that_ends_at_once_is_not_a_tunnel():
    with Serving(echo) as serving, Raw(serving) as raw:
        block = hpack.Encoder().encode(connect())
        raw.send(headers(1, block, END_HEADERS | END_STREAM))
        raw.until(lambda: raw.status(1) or raw.of(RST_STREAM))
        assert raw.status(1) != "200"


def test_a_refused_websocket_is_logged_counted_and_ends_only_its_stream():
    with Serving(echo, ws_max_size=10) as serving, talk(serving) as client:
        tunnel, other = Tunnel(client), Tunnel(client)
        tunnel.send(TEXT, b"x" * 11)
        opcode, payload = tunnel.frame()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1009))
        other.send(TEXT, b"y")
        assert other.frame() == (TEXT, b"y")
        assert serving.server.tallies.read(0)["refused_websocket"] == 1
        (line,) = (text for level, text in serving.log.lines if level == 30)
        assert "a WebSocket message over --ws-max-size" in line
        assert "--ws-max-size" in line


def test_messages_sent_with_the_end_of_the_stream_are_received():
    """Messages that wait for a budget come before the end that arrived with them."""
    heard = []
    ended = threading.Event()

    async def app(scope, receive, send):
        await accept(receive, send)
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(message)
        ended.set()

    with Serving(app) as serving, talk(serving) as client:
        tunnel = Tunnel(client)
        client.send(tunnel.id, frame(BINARY, b"x") * 500, ends=True)
        assert ended.wait(DEADLINE_S)
    assert len(heard) == 500


def test_a_close_does_not_wait_for_what_the_peer_has_not_read():
    """Beyond --h2-max-output a last message waits; a close frame does not."""
    closed = threading.Event()

    async def app(scope, receive, send):
        await accept(receive, send)
        message = {"type": "websocket.send", "bytes": b"x" * 300_000}
        task = asyncio.create_task(send(message))
        await asyncio.sleep(0)
        await send({"type": "websocket.close", "code": 1000})
        closed.set()
        await asyncio.wait([task])

    with (
        Serving(app, h2_max_output=65536) as serving,
        Raw(serving, settings((4, 0))) as raw,
    ):
        raw.send(headers(1, hpack.Encoder().encode(connect()), flags=END_HEADERS))
        assert closed.wait(DEADLINE_S)
        raw.send(settings((4, 1 << 30)))
        raw.send(b"\0\0\4\x08\0\0\0\0\0" + (1 << 20).to_bytes(4, "big"))
        raw.until(lambda: raw.body(1).endswith(close_payload(1000)))
        assert len(raw.body(1)) == 300_000 + 10 + 4
