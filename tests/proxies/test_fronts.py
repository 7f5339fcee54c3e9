"""Behind nginx, HAProxy and Caddy: clients, TLS, WebSockets and lossless restarts."""

import shutil
import signal

import pytest
from authority import Authority
from crews import Load, needs_wrk, pids, wait_for, workers
from fronts import Front
from preambles import Proxied
from serving import Serving, answer, read_answer, request
from socketing import TEXT, Peer, frame, handshake
from talking import client_context

CLOSE = "Connection: close\r\n"
CLIENT = "127.0.0.2"
"""An address that does not belong to a proxy."""

HTTP = ["nginx", "haproxy", "caddy"]
STREAMS = {"nginx-stream": "v1", "haproxy-tcp": "v2"}
WITH_TLS = ["nginx", "haproxy"]
FORGED = (
    "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return the issuer of the proxies' certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    return Authority(tmp_path_factory.mktemp("authority"), "Tests")


@pytest.fixture(scope="module")
def pair(authority):
    """A certificate for localhost."""
    return authority.issue("localhost", "DNS:localhost,IP:127.0.0.1")


class Echo:
    """An application that records its scopes and echoes WebSocket messages."""

    def __init__(self):
        self.scopes = []

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        if scope["type"] == "http":
            await answer(send, b"hello")
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


def get(front, fields="", context=None):
    """Send a request through ``front`` and return its Answer."""
    sock = front.connect(context is not None, CLIENT)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname="localhost")
    with sock:
        sock.sendall(request("/a", fields + CLOSE))
        return read_answer(sock)


def headers_of(scope):
    """Return a scope's headers as text."""
    return {name.decode(): value.decode() for name, value in scope["headers"]}


@pytest.mark.parametrize("kind", HTTP)
def test_the_client_is_known_and_cannot_forge_its_address(kind, pair, tmp_path):
    app = Echo()
    with (
        Serving(app, request_id=True) as serving,
        Front(kind, serving.place[1], tmp_path, pair) as front,
    ):
        got = get(front, FORGED)
    (scope,) = app.scopes
    assert (got.status, got.body) == (200, b"hello")
    assert (scope["client"][0], scope["scheme"]) == (CLIENT, "http")
    name = headers_of(scope)["x-request-id"]
    assert got.field("x-request-id").split(", ")[0] == name


@pytest.mark.parametrize("kind", WITH_TLS)
def test_the_scheme_is_https_if_the_proxy_terminates_tls(
    kind, authority, pair, tmp_path
):
    app = Echo()
    with (
        Serving(app) as serving,
        Front(kind, serving.place[1], tmp_path, pair) as front,
    ):
        get(front, "X-Forwarded-Proto: http\r\n", client_context(authority))
    (scope,) = app.scopes
    assert (scope["client"][0], scope["scheme"]) == (CLIENT, "https")


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize("secure", [False, True])
def test_a_websocket_works_through_a_proxy(kind, secure, authority, pair, tmp_path):
    if secure and kind not in WITH_TLS:
        pytest.skip(f"{kind} makes certificates of its own")
    app = Echo()
    with (
        Serving(app) as serving,
        Front(kind, serving.place[1], tmp_path, pair) as front,
    ):
        sock = front.connect(secure, CLIENT)
        if secure:
            context = client_context(authority)
            sock = context.wrap_socket(sock, server_hostname="localhost")
        with sock:
            peer = Peer(sock, handshake())
            assert peer.status == 101
            sock.sendall(frame(TEXT, b"through"))
            assert peer.take(9) == b"\x81\x07through"
    (scope,) = app.scopes
    assert (scope["type"], scope["client"][0]) == ("websocket", CLIENT)
    assert scope["scheme"] == ("wss" if secure else "ws")


def test_forwarded_of_haproxy_is_read(pair, tmp_path):
    app = Echo()
    with (
        Serving(app, forwarded_fields="forwarded") as serving,
        Front("haproxy-standard", serving.place[1], tmp_path, pair) as front,
    ):
        get(front, FORGED)
    (scope,) = app.scopes
    assert (scope["client"][0], scope["scheme"]) == (CLIENT, "https")


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("secure", [False, True])
def test_the_proxy_protocol_names_the_client(kind, secure, authority, pair, tmp_path):
    app = Echo()
    settings = pair.settings() if secure else {}
    with (
        Proxied(app, STREAMS[kind], **settings) as serving,
        Front(kind, serving.place[1], tmp_path) as front,
    ):
        got = get(front, FORGED, client_context(authority) if secure else None)
        with front.connect(source=CLIENT) as sock:
            port = sock.getsockname()[1]
            if secure:
                context = client_context(authority)
                sock = context.wrap_socket(sock, server_hostname="localhost")
            peer = Peer(sock, handshake())
            assert peer.status == 101
            sock.close()
    assert got.body == b"hello"
    http, websocket = app.scopes
    assert http["client"][0] == CLIENT
    assert http["scheme"] == ("https" if secure else "http")
    assert websocket["client"] == (CLIENT, port)
    assert websocket["scheme"] == ("wss" if secure else "ws")


@needs_wrk
@pytest.mark.parametrize("kind", ["nginx", "haproxy", "haproxy-tcp"])
def test_no_request_fails_while_workers_are_replaced(kind, pair, tmp_path):
    words = ["--bind", "127.0.0.1:0,proxy-protocol=v2"] if kind in STREAMS else []
    words += ["--timeout-keep-alive", "75"]
    with (
        workers(2, "pid", *words) as command,
        Front(kind, command.port(), tmp_path, pair) as front,
        Load(front.plain) as load,
    ):
        for number in range(1, 6):
            before = pids(command)
            command.signal(signal.SIGHUP)
            wait_for(
                lambda n=number: command.err.count("new workers are serving") >= n,
                f"reload {number} does not end",
            )
            assert len(pids(command) - before) == 2
        assert load.failed() == []
        assert command.stop() == 0
