"""Bodies of requests are decompressed, within bounds: see docs/COMPRESSION.md.

Covers src/coding/decompress.c.
"""

import asyncio
import contextlib
import gzip
import zlib

import pytest
from coded import CODINGS, TEXT, app_of, ask, curl
from command import Command, connect
from serving import Serving, answer, more, read_answer, read_body, request, start
from talking import Secure

from bolide import _engine

LONG = b"".join(b"%d %d\n" % (i, i * i * i) for i in range(100000))
FIELDS = "Content-Encoding: gzip\r\n"


async def echo(scope, receive, send):
    """Answer what the application gets: its fields of the body, and the body."""
    names = (b"content-encoding", b"content-length")
    got = [(b"x-" + n, v) for n, v in scope["headers"] if n in names]
    await answer(send, await read_body(receive), headers=got)


def post(body, fields=FIELDS, app=echo, **settings):
    """Return the Answer of a server that decompresses."""
    with Serving(app, decompress=True, **settings) as serving:
        return serving.ask(fields=fields, body=body, method="POST")


def packed(name, data=TEXT):
    """Return ``data`` as the server itself encodes it."""
    got = ask(app_of(data), name)
    assert got.field("content-encoding") == name
    return got.body


@pytest.mark.parametrize("name", CODINGS)
def test_the_application_gets_the_decoded_body(name):
    got = post(packed(name), f"Content-Encoding: {name}\r\n")
    assert got.status == 200
    assert got.body == TEXT
    assert got.field("x-content-encoding") is got.field("x-content-length") is None


@pytest.mark.parametrize("over", ["--http1.1", "--http2-prior-knowledge"])
def test_over_each_protocol(tmp_path, over):
    path = tmp_path / "body"
    path.write_bytes(gzip.compress(LONG))
    words = ["-H", "Content-Encoding: gzip", "--data-binary", f"@{path}", over]
    with Serving(echo, decompress=True) as serving:
        assert curl(serving, *words) == LONG


def test_over_tls(tmp_path, authority, localhost):
    path = tmp_path / "body"
    path.write_bytes(gzip.compress(LONG))
    words = ["-H", "Content-Encoding: gzip", "--data-binary", f"@{path}"]
    with Secure(echo, localhost, decompress=True) as serving:
        got = curl(serving, *words, scheme="https", authority=authority)
    assert got == LONG


def test_it_is_off_by_default():
    body = gzip.compress(TEXT)
    with Serving(echo) as serving:
        got = serving.ask(fields=FIELDS, body=body, method="POST")
    assert got.body == body
    assert got.field("x-content-encoding") == "gzip"
    assert got.field("x-content-length") == str(len(body))


@pytest.mark.parametrize(
    "fields",
    ["", *(f"Content-Encoding: {x}\r\n" * 2 for x in ("identity", "", "identity, "))],
)
def test_a_body_without_a_coding_is_passed_as_it_is(fields):
    got = post(b"abc", fields)
    assert got.body == b"abc"
    assert got.field("x-content-length") == "3"


@pytest.mark.parametrize("name", [x for x in CODINGS if x.values[0] != "br"])
def test_several_members_or_frames_are_one_body(name):
    got = post(packed(name) * 3, f"Content-Encoding: {name}\r\n")
    assert got.body == TEXT * 3


def test_a_request_without_a_body_is_passed_as_it_is():
    with Serving(echo, decompress=True) as serving:
        for name in ("gzip", "unknown"):
            got = serving.ask(fields=f"Content-Encoding: {name}\r\n")
            assert got.status == 200
            assert got.field("x-content-encoding") == name


@pytest.mark.parametrize("fields", [FIELDS, "Content-Encoding: X-GZIP, identity\r\n"])
def test_one_byte_at_a_time(fields):
    body = gzip.compress(b"hello") + gzip.compress(b" world")
    fields += "Transfer-Encoding: chunked\r\n"
    with Serving(echo, decompress=True) as serving, serving.connect() as sock:
        sock.sendall(request(fields=fields, method="POST"))
        for byte in body:
            sock.sendall(b"1\r\n%c\r\n" % byte)
        sock.sendall(b"0\r\n\r\n")
        assert read_answer(sock).body == b"hello world"


def test_the_connection_is_kept():
    body = gzip.compress(TEXT)
    with Serving(echo, decompress=True) as serving, serving.connect() as sock:
        for _ in range(3):
            sock.sendall(request(fields=FIELDS, body=body, method="POST"))
            assert read_answer(sock).body == TEXT


@pytest.mark.parametrize(
    "name",
    [
        "deflate",
        "compress",
        "gzip, gzip",
        "br, gzip",
        "x",
        "gzip\r\nContent-Encoding: br",
    ],
)
def test_a_coding_that_is_not_known_is_415(name):
    got = post(b"abc", f"Content-Encoding: {name}\r\n")
    assert got.status == 415
    order = [x for x in ("zstd", "br", "gzip") if x in _engine.CODINGS]
    assert got.field("accept-encoding") == ", ".join(order)


@pytest.mark.parametrize(
    "body",
    [
        b"abc",
        gzip.compress(TEXT)[:-1],
        gzip.compress(TEXT)[:-8] + b"12345678",
        gzip.compress(TEXT) + b"abc",
        zlib.compress(TEXT),
    ],
)
def test_a_body_that_is_not_valid_is_400(body):
    got = post(body)
    assert got.status == 400
    assert b"content coding" in got.body


@pytest.mark.skipif("br" not in _engine.CODINGS, reason="br is not built in")
def test_nothing_follows_brotli():
    body = packed("br")
    assert post(body + b"x", "Content-Encoding: br\r\n").status == 400
    assert post(body[:-1], "Content-Encoding: br\r\n").status == 400


def test_an_empty_body_is_empty():
    fields = FIELDS + "Transfer-Encoding: chunked\r\n"
    with Serving(echo, decompress=True) as serving, serving.connect() as sock:
        sock.sendall(request(fields=fields, method="POST") + b"0\r\n\r\n")
        got = read_answer(sock)
    assert (got.status, got.body) == (200, b"")


@pytest.mark.parametrize("size", [1000, 1001])
def test_a_body_that_becomes_too_large_is_413(size):
    for settings in ({"decompress_max_size": 1000}, {"limit_body": 1000}):
        got = post(gzip.compress(TEXT[:size]), **settings)
        assert got.status == (200 if size == 1000 else 413)


def test_a_body_that_grows_too_much_is_413():
    body = gzip.compress(bytes(1 << 21))
    assert post(body, decompress_max_ratio=1000000).status == 200
    assert post(body).status == 413
    assert post(gzip.compress(bytes(1 << 20))).status == 200  # the first MiB is free


def test_a_body_that_is_not_read_costs_nothing():
    async def app(scope, receive, send):
        await answer(send, b"done")

    assert post(b"not gzip", app=app).body == b"done"


def test_a_response_that_has_begun_is_aborted():
    async def app(scope, receive, send):
        await start(send)
        await more(send, b"abc")
        await receive()

    assert not post(b"abc", app=app).is_whole


SLOW = """
async def app(scope, receive, send):
    count = 1
    while (await receive()).get("more_body"):
        count += 1
    head = {"type": "http.response.start", "status": 200, "headers": []}
    await send(head)
    await send({"type": "http.response.body", "body": b"%d messages" % count})
"""


def test_others_are_served_during_a_long_body(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    words = ["--decompress-max-ratio", "1000000", "--decompress-max-size", "2147483647"]
    body = gzip.compress(bytes(64 << 20), 1) * 20
    with Command(
        "slow:app", "--port", "0", "--decompress", *words, cwd=tmp_path
    ) as command:
        port = command.port()
        with connect(port) as slow, connect(port) as quick:
            slow.sendall(request("/long", FIELDS, body, "POST"))
            slow.setblocking(False)
            done, got = 0, b""
            while not got.endswith(b" messages"):
                quick.sendall(request())
                assert read_answer(quick).body == b"1 messages"
                done += 1
                with contextlib.suppress(BlockingIOError):
                    got += slow.recv(1000)
    assert int(got.split()[-2]) >= 20000
    assert done >= 10


def test_no_more_bodies_than_allowed():
    async def app(scope, receive, send):
        await receive()
        if scope["path"] == "/first":
            await asked.wait()
        await answer(send, b"done")

    asked = asyncio.Event()
    body = gzip.compress(b"abc")
    with Serving(app, decompress=True, decompress_max_bodies=1) as serving:
        with serving.connect() as sock:
            sock.sendall(request("/first", FIELDS, body, "POST"))
            while serving.ask("/second", FIELDS, body, "POST").status == 200:
                pass
            assert serving.ask("/second", FIELDS, body, "POST").status == 503
            serving.loop.call_soon_threadsafe(asked.set)
            assert read_answer(sock).body == b"done"
        assert serving.ask("/second", FIELDS, body, "POST").status == 200


def test_it_is_counted():
    body = gzip.compress(TEXT)
    with Serving(echo, decompress=True, metrics_path="/m") as serving:
        serving.ask(fields=FIELDS, body=body, method="POST")
        metrics = serving.ask("/m").body.decode()
    assert f"bolide_decompressed_bytes_in_total {len(body)}\n" in metrics
    assert f"bolide_decompressed_bytes_out_total {len(TEXT)}\n" in metrics


def test_both_directions():
    body = gzip.compress(TEXT)
    fields = FIELDS + "Accept-Encoding: gzip\r\n"

    async def app(scope, receive, send):
        headers = [(b"content-type", b"text/plain")]
        await answer(send, await read_body(receive), headers=headers)

    got = post(body, fields, app=app, compress=True)
    assert gzip.decompress(got.body) == TEXT
