"""Requests and responses over HTTP/3 (src/http3/session.c, src/http3/exchange.c,
src/http3/frames.c, src/http3/send.c, src/server/quic_link.c, src/server/quic.c,
src/quic/qlog.c).

tests/asgi has what all protocols share.
"""

import asyncio
import json
import shutil
import threading

import pytest
from authority import Pair
from serving import DEADLINE_S, answer, more, read_body, start
from talking_h3 import Quic, Served, get

import bolide
from bolide import ConfigError
from bolide.config.choices import CONGESTION

NO_ERROR = 0x100


async def echo(scope, receive, send):
    await answer(send, await read_body(receive))


async def hello(scope, receive, send):
    await answer(send, b"hello")


def test_a_body_of_any_size_comes_back(localhost):
    with Served(echo, localhost) as served, Quic(served.place) as quic:
        for n in (0, 1, 1000, 65535, 65536, 300_000):
            assert quic.post(bytes(n)).body == bytes(n)


@pytest.mark.parametrize("congestion", CONGESTION)
def test_each_congestion_control_sends_a_long_response(localhost, congestion):
    async def app(scope, receive, send):
        await answer(send, bytes(3 << 20))

    with (
        Served(app, localhost, h3_congestion=congestion) as served,
        Quic(served.place) as quic,
    ):
        assert len(quic.get().body) == 3 << 20


def test_a_qlog_file_records_each_connection(localhost, tmp_path):
    """Each record of the file is a line of JSON after a record separator."""
    with Served(hello, localhost, h3_qlog=str(tmp_path)) as served:
        for _ in range(2):
            with Quic(served.place) as quic:
                assert quic.get().body == b"hello"
    files = list(tmp_path.glob("*.sqlog"))
    assert len(files) == 2
    for file in files:
        head, *events = map(json.loads, file.read_text().split("\x1e")[1:])
        assert head["qlog_version"] and len(events) > 5
        assert any("packet_received" in event["name"] for event in events)


def test_a_folder_for_qlog_files_must_exist(localhost, tmp_path):
    with pytest.raises(ConfigError, match="h3_qlog is not a directory"):
        Served(hello, localhost, h3_qlog=str(tmp_path / "none"))


def test_http3_is_served_automatically(localhost):
    with Served(hello, localhost, http3="auto") as served:
        assert get(served.place).status == 200
    assert any(", HTTP/3, CPython" in line for _, line in served.log.lines)


def test_without_what_it_needs_it_is_not_served_automatically(localhost):
    files = localhost.settings()
    assert bolide.Config(hello, http3="auto", **files).http3 is True
    assert bolide.Config(hello, http3="auto").http3 is False
    older = bolide.Config(hello, http3="auto", ssl_version="TLSv1.2", **files)
    assert older.http3 is False
    with pytest.raises(ConfigError, match="http3 is on or off"):
        bolide.Config(hello, http3="perhaps", **files)


def test_many_requests_share_a_connection(localhost):
    with (
        Served(hello, localhost, h3_max_streams=8) as served,
        Quic(served.place) as quic,
    ):
        numbers = [quic.ask() for _ in range(200)]
        assert {quic.finish(x).body for x in numbers} == {b"hello"}


def test_connection_close_ends_the_connection_after_its_streams(localhost):
    go_on = threading.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/close":
            await answer(send, b"last", headers=[(b"connection", b"close")])
            return
        await start(send)
        await more(send, b"a")
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"b"})

    with (
        Served(app, localhost, timeout_keep_alive=3600) as served,
        Quic(served.place) as quic,
    ):
        number = quic.ask()
        assert quic.get("/close").body == b"last"
        go_on.set()
        assert quic.finish(number).body == b"ab"
        assert quic.code() == NO_ERROR


@pytest.mark.parametrize("size", [100, 4096, 65536, 1 << 18])
def test_a_response_in_parts_is_whole(localhost, size):
    async def app(scope, receive, send):
        await start(send)
        for i in range(8):
            await more(send, bytes([i]) * size)
        await send({"type": "http.response.body"})

    with Served(app, localhost) as served:
        x = get(served.place)
        assert x.body == b"".join(bytes([i]) * size for i in range(8))
        assert x.field(b"content-length") is None


def test_a_file_is_sent(localhost, tmp_path):
    data = bytes(range(256)) * 4000
    (tmp_path / "file").write_bytes(data)

    async def app(scope, receive, send):
        await start(send)
        path = str(tmp_path / "file")
        await send({"type": "http.response.pathsend", "path": path})

    with Served(app, localhost, pathsend=True) as served:
        assert get(served.place).body == data


def test_trailers_and_hints_are_sent(localhost):
    async def app(scope, receive, send):
        link = b"</a.css>; rel=preload"
        await send({"type": "http.response.early_hint", "links": [link]})
        message = {"type": "http.response.start", "status": 200, "headers": []}
        await send({**message, "trailers": True})
        await send({"type": "http.response.body", "body": b"body"})
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})

    with Served(app, localhost) as served:
        x = get(served.place)
        assert (x.body, x.trailers) == (b"body", [(b"x-sum", b"1")])
        assert dict(x.interim[0])[b":status"] == b"103"


def test_a_client_that_leaves_ends_its_response(localhost):
    left = threading.Event()

    async def app(scope, receive, send):
        await start(send)
        await more(send, b"first")
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    with Served(app, localhost) as served:
        with Quic(served.place) as quic:
            x = quic.stream(quic.ask())
            quic.until(lambda: x.body == b"first")
        assert left.wait(DEADLINE_S)
        assert not served.log.errors()


def test_a_stream_that_is_reset_ends_alone(localhost):
    left = threading.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/":
            await answer(send, b"others")
            return
        await start(send)
        await more(send, b"first")
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask("/long")
        quic.until(lambda: quic.stream(number).body == b"first")
        quic.quic.stop_stream(number, 0x10C)
        quic.flush()
        assert quic.get().body == b"others"
        quic.until(left.is_set)


def test_a_failure_is_500_or_resets_the_stream(localhost):
    async def app(scope, receive, send):
        if scope["path"] == "/late":
            await start(send)
            await more(send, bytes(100_000))
        raise ValueError("on purpose")

    with Served(app, localhost) as served, Quic(served.place) as quic:
        assert quic.get().status == 500
        x = quic.get("/late")
        assert x.reset == 0x102
        assert not x.ended


def test_a_client_that_takes_nothing_makes_send_wait(localhost):
    """What waits for one client is bounded by --h3-send-window and 72 KiB."""
    sent = []

    async def app(scope, receive, send):
        await start(send)
        while len(sent) < 1000:
            await more(send, bytes(65536))
            sent.append(65536)

    settings = {"max_data": 1 << 26, "max_stream_data": 1 << 26}
    with (
        Served(app, localhost, h3_send_window=1 << 18) as served,
        Quic(served.place, **settings) as quic,
    ):
        quic.until(lambda: quic.handshake is not None)
        number = quic.ask()
        quic.until(lambda: quic.stream(number).body)
        n = -1
        while n != len(sent):
            n = len(sent)
            threading.Event().wait(0.3)
        assert sum(sent) <= len(quic.stream(number).body) + (1 << 18) + 300_000


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"x-%d" % i, b"v" * 2000) for i in range(40)], 431),
        ([(b"x-%d" % i, b"v") for i in range(200)], 431),
        ([(b"expect", b"something")], 417),
        ([(b"host", b"other")], 400),
    ],
)
def test_a_request_that_is_rejected_has_a_status(localhost, fields, status):
    with Served(hello, localhost) as served, Quic(served.place) as quic:
        assert quic.get(fields=fields).status == status
        assert quic.get().status == 200


def test_a_body_over_the_limit_is_413(localhost):
    with Served(echo, localhost, limit_body=1000) as served, Quic(served.place) as quic:
        assert quic.post(bytes(2000)).status == 413
        assert quic.post(bytes(1000)).status == 200


def test_a_websocket_runs_over_a_stream(localhost):
    """RFC 9220: an extended CONNECT opens a tunnel."""

    async def app(scope, receive, send):
        assert scope["type"] == "websocket"
        assert scope["http_version"] == "3"
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": message["text"] * 2})
        await send({"type": "websocket.close"})

    with Served(app, localhost) as served, Quic(served.place) as quic:
        number = quic.ask_websocket()
        x = quic.stream(number)
        quic.until(lambda: x.fields is not None)
        assert x.status == 200
        quic.h3.send_data(number, b"\x81\x82\0\0\0\0ab", False)
        quic.until(lambda: x.body.startswith(b"\x81\x04abab"))
        quic.until(lambda: b"\x88" in x.body)
        quic.h3.send_data(number, b"\x88\x82\0\0\0\0\x03\xe8", True)
        quic.until(lambda: x.ended)


def test_the_handshake_is_described_in_the_scope(localhost, authority):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    settings = {"ssl_ca_certs": str(authority.cert), "ssl_cert_reqs": "required"}
    client = authority.issue("somebody")
    with Served(app, localhost, **settings) as served:
        assert get(served.place, pair=client).status == 200
    (scope,) = scopes
    assert (scope["http_version"], scope["scheme"]) == ("3", "https")
    tls = scope["extensions"]["tls"]
    assert tls["tls_version"] == 0x0304
    assert "BEGIN CERTIFICATE" in tls["server_cert"]
    assert "somebody" in tls["client_cert_name"]
    assert scope["server"] == served.place


def test_a_client_without_its_certificate_is_not_served(localhost, authority):
    settings = {"ssl_ca_certs": str(authority.cert), "ssl_cert_reqs": "required"}
    with Served(hello, localhost, **settings) as served, Quic(served.place) as quic:
        quic.ask()
        assert quic.code() == 0x174  # TLS alert 116: certificate required


def test_the_certificate_is_chosen_by_name(authority):
    one = authority.issue("one.test", "DNS:one.test")
    two = authority.issue("two.test", "DNS:two.test")
    settings = {
        "ssl_certfile": [str(one.cert), str(two.cert)],
        "ssl_keyfile": [str(one.key), str(two.key)],
    }
    with Served(hello, one, **settings) as served:
        for name in ("two.test", "one.test", "other.test"):
            with Quic(served.place, server_name=name) as quic:
                assert quic.get().body == b"hello"
                shown = quic.quic.tls._peer_certificate.subject.rfc4514_string()
                assert shown == f"CN={name.replace('other', 'one')}"


def test_connections_outlive_a_reload_of_the_certificates(authority, tmp_path):
    """One that is open describes its own certificate, and one whose handshake has begun
    completes it.
    """
    old, new = (authority.issue(x, "DNS:localhost") for x in ("first", "second"))
    pair = Pair(tmp_path / "a.pem", tmp_path / "a.key")
    scopes, is_deaf = [], True

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send)

    def use(chosen):
        for theirs, ours in zip(chosen, pair, strict=True):
            shutil.copy(theirs, ours)

    use(old)
    with (
        Served(app, pair, ssl_watch=0) as served,
        Quic(served.place) as opened,
        Quic(served.place, drop=lambda is_sent, _: is_deaf and not is_sent) as begun,
    ):
        opened.until(lambda: opened.handshake)
        begun.ask()
        begun.until(lambda: begun.counts[False])
        use(new)
        assert served.reload() is True
        assert opened.get().status == 200
        is_deaf = False
        assert begun.finish(0).status == 200
        assert get(served.place).status == 200
    shown = [scope["extensions"]["tls"]["server_cert"] for scope in scopes]
    assert shown == [x.cert.read_text() for x in (old, old, new)]
