"""Responses are compressed if the client accepts it, and are complete.

Covers src/coding/compress.c.
"""

import asyncio
import base64
import contextlib
import os
import socket
import time

import httpx
import pytest
from coded import CODINGS, JSON, TEXT, app_of, ask, curl, fields_of, gunzip
from serving import DEADLINE_S, Serving, answer, more, read_until, request, start
from talking import Secure

OVER = ("--http1.1", "--http2-prior-knowledge")


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("over", OVER)
def test_curl_decodes_each_coding(coding, over):
    app = app_of(TEXT, (b"etag", b'"x"'), (b"accept-ranges", b"bytes"))
    with Serving(app, compress=True) as serving:
        words = ["-H", f"Accept-Encoding: {coding}", over]
        fields, body = fields_of(curl(serving, "-i", *words))
        assert curl(serving, "--compressed", *words) == TEXT
    assert fields["content-encoding"] == coding
    assert fields["vary"] == "Accept-Encoding"
    assert fields["etag"] == 'W/"x"'
    assert "accept-ranges" not in fields
    assert int(fields["content-length"]) == len(body) < len(TEXT) / 3


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("over", ["--http1.1", "--http2"])
def test_curl_decodes_each_coding_over_tls(authority, localhost, coding, over):
    with Secure(app_of(), localhost, compress=True) as serving:
        words = ["-H", f"Accept-Encoding: {coding}", over]
        secure = {"scheme": "https", "authority": authority}
        fields, _ = fields_of(curl(serving, "-i", *words, **secure))
        assert curl(serving, "--compressed", *words, **secure) == TEXT
    assert fields["content-encoding"] == coding


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("over", OVER)
def test_a_long_body_is_whole(coding, over):
    body = TEXT * 300
    with Serving(app_of(body), compress=True) as serving:
        words = ["-H", f"Accept-Encoding: {coding}", over]
        assert curl(serving, "--compressed", *words) == body


@pytest.mark.parametrize("over", OVER)
def test_many_messages_are_whole(over):
    async def app(scope, receive, send):
        await start(send, headers=[JSON])
        for at in range(0, len(TEXT), 100):
            await more(send, TEXT[at : at + 100])
        await send({"type": "http.response.body"})

    with Serving(app, compress=True) as serving:
        assert curl(serving, "--compressed", over) == TEXT


def test_httpx_decodes_gzip():
    with Serving(app_of(), compress=True) as serving:
        url = f"http://127.0.0.1:{serving.place[1]}/"
        response = httpx.get(url, headers={"accept-encoding": "gzip"})
    assert response.content == TEXT
    assert response.headers["content-encoding"] == "gzip"


def test_compression_is_off_by_default():
    with Serving(app_of()) as serving:
        got = serving.ask(fields="Accept-Encoding: gzip\r\n")
    assert got.body == TEXT
    assert got.field("content-encoding") is got.field("vary") is None


def test_an_event_arrives_before_the_next_one_is_sent():
    async def app(scope, receive, send):
        await start(send, headers=[(b"content-type", b"text/event-stream")])
        await more(send, b"data: one\n\n")
        await asked.wait()
        await more(send, b"data: two\n\n")
        await send({"type": "http.response.body"})

    asked = asyncio.Event()
    with (
        Serving(app, compress=True) as serving,
        httpx.stream(
            "GET",
            f"http://127.0.0.1:{serving.place[1]}/",
            headers={"accept-encoding": "gzip"},
            timeout=DEADLINE_S,
        ) as response,
    ):
        assert response.headers["content-encoding"] == "gzip"
        parts = response.iter_text()
        assert next(parts) == "data: one\n\n"
        serving.loop.call_soon_threadsafe(asked.set)
        assert "".join(parts) == "data: two\n\n"


def test_others_are_served_during_a_long_body():
    long = base64.b64encode(os.urandom(9 << 20))  # 12 MiB, which become 9

    async def app(scope, receive, send):
        body = long if scope["path"] == "/long" else b"hello"
        await answer(send, body, headers=[JSON])

    with (
        Serving(app, compress=True, compress_codings="gzip") as serving,
        serving.connect() as slow,
        serving.connect() as quick,
    ):
        slow.sendall(request("/long", "Accept-Encoding: gzip\r\n"))
        read_until(slow, b"\r\n\r\n")
        slow.setblocking(False)
        done, data = 0, b""
        ends = time.monotonic() + DEADLINE_S
        while not data.endswith(b"0\r\n\r\n") and time.monotonic() < ends:
            quick.sendall(request())
            read_until(quick, b"hello")
            done += 1
            with contextlib.suppress(BlockingIOError):
                data += slow.recv(1 << 16)
    assert data.endswith(b"0\r\n\r\n")
    assert done >= 10


def test_head_has_the_fields_of_get():
    app = app_of(TEXT, (b"etag", b'"x"'))
    head = ask(app, method="HEAD")
    get = ask(app)
    dropped = ("content-length", "date")
    assert [x for x in head.fields if x[0] not in dropped] == [
        x for x in get.fields if x[0] not in dropped
    ]
    assert head.field("content-length") is None
    assert head.body == b""


def test_trailers_follow_a_compressed_body():
    async def app(scope, receive, send):
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [JSON],
                "trailers": True,
            }
        )
        await send({"type": "http.response.body", "body": TEXT})
        await send({"type": "http.response.trailers", "headers": [(b"x", b"y")]})

    with Serving(app, compress=True) as serving, serving.connect() as sock:
        sock.sendall(request("/", "Accept-Encoding: gzip\r\nTE: trailers\r\n"))
        data = read_until(sock, b"x: y\r\n\r\n")
    assert b"0\r\nx: y\r\n\r\n" in data


def test_a_file_is_compressed(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(TEXT * 50)

    async def app(scope, receive, send):
        await start(send, headers=[JSON])
        await send({"type": "http.response.pathsend", "path": str(path)})

    got = ask(app, settings={"pathsend": True})
    assert got.field("content-encoding") == "gzip"
    assert gunzip(got.body) == TEXT * 50


@pytest.mark.parametrize("size", [5, 20000])
def test_a_client_can_detect_a_body_that_is_too_short(size):
    async def app(scope, receive, send):
        length = (b"content-length", b"20480")
        await answer(send, TEXT[:size], headers=[JSON, length])

    assert not ask(app).is_whole


def test_a_disconnect_ends_the_compression():
    async def app(scope, receive, send):
        await start(send, headers=[JSON])
        try:
            while True:
                await more(send, TEXT)
        finally:
            ended.set()

    ended = asyncio.Event()
    with Serving(app, compress=True) as serving:
        with serving.connect() as sock:
            sock.sendall(request("/", "Accept-Encoding: gzip\r\n"))
            read_until(sock, b"\r\n\r\n")
            sock.shutdown(socket.SHUT_RDWR)
        waiting = asyncio.run_coroutine_threadsafe(ended.wait(), serving.loop)
        waiting.result(DEADLINE_S)
        assert serving.ask(fields="Accept-Encoding: gzip\r\n", method="HEAD")


def test_bodies_over_the_limit_are_sent_uncompressed():
    async def app(scope, receive, send):
        await start(send, headers=[JSON])
        await more(send, TEXT)
        if scope["path"] == "/first":
            await asked.wait()
        await send({"type": "http.response.body"})

    asked = asyncio.Event()
    accepts = "Accept-Encoding: gzip\r\n"
    with Serving(app, compress=True, compress_max_bodies=1) as serving:
        with serving.connect() as sock:
            sock.sendall(request("/first", accepts))
            read_until(sock, b"\r\n\r\n")
            second = serving.ask(fields=accepts)
            assert second.body == TEXT
            assert second.field("vary") == "Accept-Encoding"
            serving.loop.call_soon_threadsafe(asked.set)
            read_until(sock, b"0\r\n\r\n")
        assert gunzip(serving.ask(fields=accepts).body) == TEXT


def test_compression_is_counted_and_logged(tmp_path):
    log = tmp_path / "log"
    settings = {
        "access_log": True,
        "access_log_file": str(log),
        "access_log_format": "%(coding)s %(B)s %(bytes_plain)s",
        "metrics_path": "/m",
        "compress_codings": "gzip",
    }
    with Serving(app_of(), compress=True, **settings) as serving:
        got = serving.ask(fields="Accept-Encoding: gzip\r\n")
        serving.ask()
        metrics = serving.ask("/m").body.decode()
    size = len(got.body)
    name = "bolide_compressed_bytes"
    assert f'{name}_in_total{{coding="gzip"}} {len(TEXT)}\n' in metrics
    assert f'{name}_out_total{{coding="gzip"}} {size}\n' in metrics
    assert log.read_text().splitlines() == [
        f"gzip {size} {len(TEXT)}",
        f"- {len(TEXT)} {len(TEXT)}",
    ]
