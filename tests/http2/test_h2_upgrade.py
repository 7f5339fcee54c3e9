"""How a connection switches to HTTP/2: by ALPN, prior knowledge, or Upgrade: h2c.

Covers src/server/protocols.c.
"""

import asyncio
import contextlib

import pytest
from authority import Authority
from rawclient import Raw
from rawframes import GET, PREFACE, headers, settings, window_update
from serving import Serving, answer, read_all, read_body, request
from talking import Secure, client_context
from talking_h2 import talk, talk_tls

UPGRADE = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
SETTINGS = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n"
)


async def version(scope, receive, send):
    """Respond with version, method and path."""
    words = (scope["http_version"], scope["method"], scope["path"])
    await answer(send, " ".join(words).encode())


class Upgraded(Raw):
    """A connection that has requested an upgrade to HTTP/2, and sends the preface."""

    def __init__(self, serving, sent):
        self.sent = sent
        super().__init__(serving)

    def send(self, data):
        if self.sent:
            self.sock.sendall(self.sent)
            self.sent = b""
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.sock.recv(1)
            self.head = head
        super().send(data)


def test_a_request_to_upgrade_is_answered_over_http_2():
    seen = []

    async def app(scope, receive, send):
        seen.append([tuple(f) for f in scope["headers"]])
        await version(scope, receive, send)

    with Serving(app, h2c_upgrade=True) as serving:
        sent = request("/first", UPGRADE + SETTINGS + "X-A: 1\r\n")
        with Upgraded(serving, sent) as raw:
            raw.until(lambda: raw.body(1))
            assert raw.head == SWITCHING
            assert raw.body(1) == b"2 GET /first"
            raw.send(headers(3))
            raw.until(lambda: raw.body(3))
            assert raw.body(3) == b"2 GET /"
    assert seen[0] == [(b"host", b"a"), (b"x-a", b"1")]


def test_a_large_response_may_be_sent_before_the_connection_has_changed():
    """During the upgrade, the application sends so much that send() waits."""
    body = bytes(range(256)) * 1000

    async def app(scope, receive, send):
        await answer(send, body)

    sent = request("/first", UPGRADE + SETTINGS)
    with Serving(app, h2c_upgrade=True) as serving, Upgraded(serving, sent) as raw:
        raw.send(window_update(0, 1 << 20) + window_update(1, 1 << 20))
        raw.until(lambda: len(raw.body(1)) == len(body))
        assert raw.head == SWITCHING
        assert raw.body(1) == body


def test_invalid_settings_keep_the_deadlines_of_http_1_1():
    """RFC 7540 3.2: a server may ignore the field and respond as if it were absent."""

    async def app(scope, receive, send):
        await asyncio.sleep(1)
        await answer(send, scope["http_version"].encode())

    with Serving(app, h2c_upgrade=True, timeout_keep_alive=0.2) as serving:
        got = serving.ask("/", UPGRADE + "HTTP2-Settings: AAAA\r\n")
        assert (got.status, got.body) == (200, b"1.1")


def test_the_settings_of_the_upgrade_are_applied():
    async def app(scope, receive, send):
        await answer(send, b"x" * 100)

    with Serving(app, h2c_upgrade=True) as serving:
        # INITIAL_WINDOW_SIZE is 10, so no more of the body is sent.
        sent = request("/", UPGRADE + "HTTP2-Settings: AAQAAAAK\r\n")
        with Upgraded(serving, sent) as raw:
            raw.until(lambda: raw.body(1))
            raw.ping()
            assert raw.body(1) == b"x" * 10


@pytest.mark.parametrize(
    "fields",
    [
        UPGRADE,
        UPGRADE + SETTINGS + SETTINGS,
        UPGRADE + "HTTP2-Settings: ?\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\n" + SETTINGS,
        "Connection: HTTP2-Settings\r\n" + SETTINGS,
        UPGRADE.replace("h2c", "h2") + SETTINGS,
    ],
    ids=["none", "twice", "no base64", "not named", "no upgrade", "h2"],
)
def test_a_wrong_request_to_upgrade_is_an_ordinary_request(fields):
    with Serving(version, h2c_upgrade=True) as serving:
        assert serving.ask("/", fields).body == b"1.1 GET /"


def test_a_request_to_upgrade_with_a_body_is_an_ordinary_request():
    async def app(scope, receive, send):
        await answer(send, await read_body(receive))

    with Serving(app, h2c_upgrade=True) as serving:
        got = serving.ask("/", UPGRADE + SETTINGS, b"body", method="POST")
        assert got.body == b"body"


def test_the_upgrade_is_off_by_default():
    with Serving(version) as serving:
        assert serving.ask("/", UPGRADE + SETTINGS).body == b"1.1 GET /"


def test_the_preface_may_arrive_byte_by_byte():
    with Serving(version) as serving, serving.connect() as sock:
        sent = PREFACE + settings() + headers(1)
        for n in range(len(sent)):
            sock.sendall(sent[n : n + 1])
        found = b""
        while b"2 GET /" not in found:
            found += sock.recv(65536)


def test_without_http_2_the_preface_is_a_bad_request():
    with Serving(version, http2=False) as serving:
        assert b" 505 " in serving.talk(PREFACE) or b" 400 " in serving.talk(PREFACE)
        assert serving.ask().body == b"1.1 GET /"


@pytest.mark.parametrize("pieces", [1, 1000], ids=["whole", "byte by byte"])
def test_a_wrong_preface_gets_no_response(pieces):
    wrong = [b".0\r\n\r\nXX\r\n\r\n", b".1\r\n\r\nSM\r\n\r\n", b"0\r\n\r\n"]
    for sent in (*(PREFACE[:12] + x for x in wrong), b"NO HTTP1 LINE\r\n\r\n"):
        with Serving(version) as serving, serving.connect() as sock:
            step = -(-len(sent) // pieces)
            with contextlib.suppress(BrokenPipeError):
                for at in range(0, len(sent), step):
                    sock.sendall(sent[at : at + step])
            assert read_all(sock) == b""


@pytest.mark.parametrize("pieces", [1, 1000], ids=["whole", "byte by byte"])
@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP1.1",
        "GET / HTTP",
        "GET / HTTP/1.1 HTTP/1.1",
        "GET / FTP/1.1",
        "GET * JUNK",
        "junk a:1 junk",
        "junk junk http",
        "junk  junk",
        "junk",
        "PRI / HTTP1.1",
        "PRI * HTTP",
        "GET /",
    ],
)
def test_a_wrong_request_line_is_an_error_of_http_1(line, pieces):
    sent = line.encode() + b"\r\nHost: a\r\n\r\n"
    with Serving(version) as serving:
        with serving.connect() as sock:
            step = -(-len(sent) // pieces)
            with contextlib.suppress(BrokenPipeError):
                for at in range(0, len(sent), step):
                    sock.sendall(sent[at : at + step])
            data = read_all(sock)
        assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        counted = serving.server.tallies.read(0)
    assert counted["refused_http2"] == 0
    assert counted["refused_head"] == 1
    (line,) = [text for _, text in serving.log.lines if ": 400, " in text]
    assert "request line" in line and "HTTP/2" not in line


def test_the_preface_is_valid_only_as_the_first_bytes():
    with Serving(version) as serving:
        data = serving.talk(request() + PREFACE)
        assert data.count(b"HTTP/1.1 200 ") == 1
        assert b"HTTP/1.1 400 " in data or b"HTTP/1.1 505 " in data


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Return an authority and a certificate it has issued."""
    authority = Authority(tmp_path_factory.mktemp("h2"), "h2")
    return authority, authority.issue("localhost", "DNS:localhost,IP:127.0.0.1")


def test_alpn_chooses(pair):
    authority, certificate = pair
    with Secure(version, certificate) as serving:
        with talk_tls(serving.place, client_context(authority)) as client:
            assert client.get("/tls").body == b"2 GET /tls"
        context = client_context(authority)
        assert serving.get(context).body == b"1.1 GET /"
    with Secure(version, certificate, http2=False) as serving:
        context = client_context(authority)
        context.set_alpn_protocols(["h2", "http/1.1"])
        with serving.open(context) as sock:
            assert sock.selected_alpn_protocol() == "http/1.1"


def test_the_scheme_over_tls_is_https(pair):
    authority, certificate = pair
    seen = []

    async def app(scope, receive, send):
        seen.append(
            (scope["scheme"], scope["http_version"], "tls" in scope["extensions"])
        )
        await answer(send)

    context = client_context(authority)
    with (
        Secure(app, certificate) as serving,
        talk_tls(serving.place, context) as client,
    ):
        assert client.get().status == 200
    assert seen == [("https", "2", True)]


def test_http_1_after_alpn_h2_ends_the_connection(pair):
    authority, certificate = pair
    context = client_context(authority)
    context.set_alpn_protocols(["h2"])
    with Secure(version, certificate) as serving, serving.open(context) as sock:
        sock.sendall(request())
        assert b"HTTP/1.1" not in read_all(sock)


LIMITS = {
    "h2_max_streams": (3, 7),
    "h2_window": (4, 70_000),
    "h2_max_frame": (5, 20_000),
    "h2_header_table": (1, 0),
    "limit_head": (6, 3000),
}


@pytest.mark.parametrize("name", LIMITS)
def test_settings_are_sent_as_configured(name):
    number, value = LIMITS[name]
    with Serving(version, **{name: value}) as serving, Raw(serving) as raw:
        raw.send(headers(1))
        raw.until(lambda: raw.body(1))
        payload = raw.of(4)[0][3]
        said = {
            int.from_bytes(payload[n : n + 2], "big"): int.from_bytes(
                payload[n + 2 : n + 6], "big"
            )
            for n in range(0, len(payload), 6)
        }
        assert said[number] == value


def test_the_window_of_the_connection_is_as_configured():
    with (
        Serving(version, h2_connection_window=1 << 20) as serving,
        talk(serving) as client,
    ):
        client.get()
        assert client.h2.outbound_flow_control_window == 1 << 20


def test_a_frame_over_the_limit_is_an_error():
    with Serving(version, h2_max_frame=16384) as serving, Raw(serving) as raw:
        raw.send(headers(1, GET + b"\0\x01x\x7f" + b"\0" * 17000))
        assert raw.until_closed() == 6


def test_a_connection_may_have_many_streams_one_after_another():
    with Serving(version) as serving, talk(serving) as client:
        for _ in range(1000):
            assert client.get().body == b"2 GET /"
        assert client.goaway is None
