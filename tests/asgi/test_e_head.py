"""Group E, fourth part: when the head of a response is sent."""

import asyncio
import threading

import pytest
from serving import (
    DEADLINE_S,
    LOOPS,
    Serving,
    answer,
    body_of,
    outcome,
    read_all,
    read_until,
    request,
    start,
)

CLOSE = "Connection: close\r\n"
LENGTH = [(b"content-length", b"4")]


async def pause(event):
    """Wait for something other than the client."""
    await asyncio.to_thread(event.wait, DEADLINE_S)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("headers", [[], LENGTH], ids=["no length", "a length"])
def test_E7_a_head_is_sent_while_the_application_waits(loop, headers):
    go = threading.Event()

    async def app(scope, receive, send):
        await start(send, headers=headers)
        await pause(go)
        await send({"type": "http.response.body", "body": b"body"})

    with Serving(app, loop=loop) as serving, serving.connect() as sock:
        sock.sendall(request(fields=CLOSE))
        head = read_until(sock, b"\r\n\r\n").lower()
        assert head.startswith(b"http/1.1 200 ok\r\n")
        assert head.endswith(b"\r\n\r\n")
        go.set()
        rest = read_all(sock)
    chunked = b"4\r\nbody\r\n0\r\n\r\n"
    assert rest == (b"body" if headers else chunked)
    assert (b"\r\ntransfer-encoding: chunked\r\n" in head) == (not headers)


def test_E7_a_head_is_sent_while_the_application_waits_for_the_body():
    async def app(scope, receive, send):
        await start(send)
        message = await receive()
        await send({"type": "http.response.body", "body": message["body"]})

    with Serving(app) as serving, serving.connect() as sock:
        fields = CLOSE + "Content-Length: 4\r\n"
        sock.sendall(request("/", fields, method="POST"))
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        sock.sendall(b"ping")
        assert read_all(sock) == b"4\r\nping\r\n0\r\n\r\n"


@pytest.mark.http1
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_E7_a_body_after_a_head_alone_ends_the_connection_on_http_1_0(method):
    go = threading.Event()

    async def app(scope, receive, send):
        await start(send)
        await pause(go)
        await send({"type": "http.response.body", "body": b"body"})

    fields = "Connection: keep-alive\r\n"
    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request("/", fields, method=method, version="1.0"))
        head = read_until(sock, b"\r\n\r\n")
        go.set()
        if method == "HEAD":
            assert b"\r\nconnection: keep-alive\r\n" in head
        else:
            assert b"\r\nconnection: close\r\n" in head
            assert read_all(sock) == b"body"


def test_E7_a_head_alone_without_a_body_has_no_framing():
    go = threading.Event()

    async def app(scope, receive, send):
        await start(send, 204 if scope["method"] == "GET" else 200)
        await pause(go)
        await send({"type": "http.response.body"})

    with Serving(app) as serving, serving.connect() as sock:
        for method, fields in (("HEAD", ""), ("GET", CLOSE)):
            sock.sendall(request("/", fields, method=method))
            head = read_until(sock, b"\r\n\r\n").lower()
            assert b"transfer-encoding" not in head
            assert b"content-length" not in head
            go.set()
        assert read_all(sock) == b""


@pytest.mark.parametrize("yields", [0, 1, 2])
def test_E7_a_quick_response_is_sent_in_one_write(yields):
    async def send_all(send):
        await start(send)
        for _ in range(yields):
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"soon"})

    data, _ = outcome(send_all)
    assert b"\r\ncontent-length: 4\r\n" in data
    assert body_of(data) == b"soon"


@pytest.mark.parametrize("loop", LOOPS)
def test_E7_a_failure_after_the_head_was_sent_is_visible(loop):
    go = threading.Event()

    async def app(scope, receive, send):
        await start(send)
        await pause(go)
        raise RuntimeError("late")

    with Serving(app, loop=loop) as serving, serving.connect() as sock:
        sock.sendall(request())
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        go.set()
        assert read_all(sock) == b""
    assert [str(e) for e in serving.log.exceptions] == ["late"]


def test_E7_heads_of_pipelined_requests_keep_their_order():
    async def app(scope, receive, send):
        await start(send)
        await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": scope["raw_path"]})

    with Serving(app) as serving:
        data = serving.talk(request("/1") + request("/2") + request("/3", CLOSE))
    assert [data.find(b"/%d\r\n0\r\n\r\n" % n) > 0 for n in (1, 2, 3)] == [True] * 3
    assert data.find(b"/1\r\n") < data.find(b"/2\r\n") < data.find(b"/3\r\n")


EXPECT = "Expect: 100-continue\r\nContent-Length: 4\r\n" + CLOSE


@pytest.mark.http1
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("more", [True, False], ids=["held body", "held head"])
def test_C9_100_continue_is_sent_before_a_held_head(loop, more):
    async def app(scope, receive, send):
        await start(send, headers=[(b"x-a", b"1")])
        if more:
            await send({"type": "http.response.body", "body": b"<", "more_body": True})
        message = await receive()
        await send({"type": "http.response.body", "body": message["body"]})

    with Serving(app, loop=loop) as serving, serving.connect() as sock:
        sock.sendall(request("/", EXPECT, method="POST"))
        begun = read_until(sock, b"\r\n\r\n")
        assert begun.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(b"ping")
        data = begun + read_all(sock)
    assert data.count(b"HTTP/1.1 ") == 2
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\nx-a: 1\r\n" in data
    assert data.endswith(b"4\r\nping\r\n0\r\n\r\n")


@pytest.mark.http1
def test_C9_no_100_continue_follows_a_sent_head():
    begun, go = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        await start(send)
        begun.set()
        await pause(go)
        message = await receive()
        await send({"type": "http.response.body", "body": message["body"]})

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request("/", EXPECT, method="POST"))
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        go.set()
        sock.sendall(b"ping")
        assert read_all(sock) == b"4\r\nping\r\n0\r\n\r\n"


@pytest.mark.http1
def test_C9_a_failure_drops_a_held_100_continue():
    async def app(scope, receive, send):
        await start(send)
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        waiting.cancel()
        raise RuntimeError("no")

    fields = EXPECT.replace(CLOSE, "")
    with Serving(app) as serving:
        data = serving.talk(request("/", fields, method="POST"))
    assert data.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"\r\nconnection: close\r\n" in data


@pytest.mark.http1
def test_C10_an_unread_chunked_body_does_not_affect_the_next_request():
    async def app(scope, receive, send):
        if scope["method"] == "POST":
            await receive()
        await answer(send, scope["raw_path"])

    head = request("/1", "Transfer-Encoding: chunked\r\n", method="POST")
    with Serving(app) as serving:
        for size in (0, 70_000, 300_000, 3_000_000):
            with serving.connect() as sock:
                sock.sendall(head + b"5\r\nfirst\r\n")
                assert read_until(sock, b"/1").startswith(b"HTTP/1.1 200 OK\r\n")
                rest = b"%x\r\n%b\r\n" % (size, b"x" * size) if size else b""
                sock.sendall(rest + b"0\r\n\r\n" + request("/2", CLOSE))
                assert read_all(sock).endswith(b"\r\n\r\n/2")


@pytest.mark.http1
def test_C10_an_endless_chunked_body_is_discarded_only_so_long():
    async def app(scope, receive, send):
        await answer(send, b"early")

    head = request("/", "Transfer-Encoding: chunked\r\n", method="POST")
    with Serving(app, timeout_linger=0.2) as serving, serving.connect() as sock:
        sock.sendall(head + b"5\r\nfirst\r\n")
        assert read_all(sock).endswith(b"early")


@pytest.mark.http1
@pytest.mark.parametrize(
    "settings", [{"limit_unread_body": 0}, {"timeout_keep_alive": 0}], ids=str
)
def test_C10_the_last_response_announces_the_close(settings):
    async def app(scope, receive, send):
        await answer(send, b"early")

    head = request("/", "Transfer-Encoding: chunked\r\n", method="POST")
    with Serving(app, **settings) as serving:
        data = serving.talk(head + b"5\r\nfirst\r\n0\r\n\r\n")
    assert b"\r\nconnection: close\r\n" in data
