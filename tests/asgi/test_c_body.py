"""Group C: the body of a request.

Covers src/asgi/http/receive.c and src/asgi/http/request.c.
"""

import asyncio
import threading
import time

import pytest
from serving import (
    DEADLINE_S,
    LOOPS,
    Serving,
    answer,
    read_all,
    read_answer,
    read_body,
    read_until,
    request,
)

CLOSE = "Connection: close\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"


async def echo(scope, receive, send):
    """Respond with the request body."""
    await answer(send, await read_body(receive))


def messages_of(sent):
    """Return the messages up to the end of the body of one request."""
    messages = []

    async def app(scope, receive, send):
        while not messages or messages[-1].get("more_body"):
            messages.append(await receive())
        await answer(send)

    with Serving(app) as serving:
        serving.talk(sent)
    return messages


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(CLOSE, id="C1"),
        pytest.param("Content-Length: 0\r\n" + CLOSE, id="C7"),
    ],
)
def test_C1_C7_a_request_without_a_body_is_one_empty_message(fields):
    (message,) = messages_of(request("/", fields, method="POST"))
    assert message["type"] == "http.request"
    assert message.get("body", b"") == b""
    assert message.get("more_body", False) is False


def test_C2_C8_a_body_with_a_content_length_is_bytes():
    messages = messages_of(request("/", CLOSE, body=b"hello", method="POST"))
    assert b"".join(m["body"] for m in messages) == b"hello"
    assert all(type(m["body"]) is bytes for m in messages)
    assert messages[-1].get("more_body", False) is False


def test_C3_a_segmented_body_ends_at_its_content_length():
    heard = threading.Semaphore(0)

    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body += message["body"]
            more = message.get("more_body", False)
            heard.release()
        await answer(send, body)

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request("/", "Content-Length: 9\r\n", method="POST"))
        for piece in (b"one", b"two"):
            sock.sendall(piece)
            assert heard.acquire(timeout=DEADLINE_S)
        sock.sendall(b"six" + request("/next", CLOSE, body=b"!", method="POST"))
        first, second = read_all(sock).split(b"HTTP/1.1 ")[1:]
    assert first.endswith(b"\r\n\r\nonetwosix")
    assert second.endswith(b"\r\n\r\n!")


def test_C4_a_chunked_body_is_decoded():
    chunks = b"3;a=b\r\none\r\n3\r\ntwo\r\n0\r\nX-Trailer: 1\r\n\r\n"
    with Serving(echo) as serving:
        answered = serving.ask("/", CHUNKED, body=chunks, method="POST")
    assert answered.body == b"onetwo"


@pytest.mark.http1
def test_C5_a_request_with_two_framings_is_rejected():
    with Serving(echo) as serving:
        fields = CHUNKED + "Content-Length: 3\r\n"
        assert serving.ask("/", fields, body=b"0\r\n\r\n", method="POST").status == 400


@pytest.mark.http1
@pytest.mark.parametrize("loop", LOOPS)
def test_C6_a_bad_chunk_size_is_a_disconnect(loop):
    heard = []

    async def app(scope, receive, send):
        while not heard or heard[-1]["type"] == "http.request":
            heard.append(await receive())

    with Serving(app, loop=loop) as serving:
        data = serving.talk(
            request("/", CHUNKED, method="POST") + b"3\r\none\r\nnonsense\r\n"
        )
    assert data.startswith(b"HTTP/1.1 400 ")
    assert heard[-1] == {"type": "http.disconnect"}
    assert all(m.get("more_body") for m in heard[:-1])


def test_C9_the_first_receive_sends_100_continue():
    begun, go = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        begun.set()
        await asyncio.to_thread(go.wait)
        await echo(scope, receive, send)

    fields = "Expect: 100-continue\r\nContent-Length: 5\r\n" + CLOSE
    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request("/", fields, method="POST"))
        assert begun.wait(DEADLINE_S)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.settimeout(DEADLINE_S)
        go.set()
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert read_answer(sock).body == b"hello"


@pytest.mark.http1
def test_C9_an_early_response_is_sent_without_100_continue():
    async def app(scope, receive, send):
        await answer(send, b"no thanks", status=403)

    fields = "Expect: 100-continue\r\nContent-Length: 5\r\n"
    with Serving(app) as serving:
        data = serving.talk(request("/", fields, method="POST"))
    assert data.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nconnection: close\r\n" in data


@pytest.mark.http1
def test_C10_an_unread_body_is_discarded_or_ends_the_connection():
    async def app(scope, receive, send):
        await answer(send, scope["raw_path"])

    with Serving(app, limit_unread_body=1000) as serving:
        little = request("/1", body=b"x" * 1000, method="POST")
        assert serving.talk(little + request("/2", CLOSE)).endswith(b"\r\n\r\n/2")
        much = request("/1", body=b"x" * 1001, method="POST")
        data = serving.talk(much + request("/2", CLOSE))
    assert data.endswith(b"\r\n\r\n/1")
    assert b"\r\nconnection: close\r\n" in data


@pytest.mark.http1
def test_C4_small_chunks_are_limited_per_second_and_not_per_body():
    async def app(scope, receive, send):
        await echo(scope, receive, send)

    def small(n):
        return b"1\r\nx\r\n" * n  # 4 bytes of framing in addition to each byte of data

    head = request("/", "Transfer-Encoding: chunked\r\n" + CLOSE, method="POST")
    with Serving(app, limit_chunk_overhead=1000) as serving:
        with serving.connect() as sock:
            sock.sendall(head)
            for _ in range(3):
                sock.sendall(small(200))
                time.sleep(1.1)  # more than a second must pass
            sock.sendall(b"0\r\n\r\n")
            assert read_answer(sock).body == b"x" * 600
        with serving.connect() as sock:
            sock.sendall(head + small(300))
            assert read_answer(sock).status == 400


DRIPS = {
    "extensions": (b"1;", b"a"),
    "quoted extensions": (b'1;a="', b"x"),
    "sizes": (b"", b"0"),
    "trailers": (b"0\r\nx-a: ", b"b"),
}
"""Ways to send only framing: how each begins, and what is repeated without end."""


@pytest.mark.http1
@pytest.mark.parametrize("drip", DRIPS)
def test_C14_framing_alone_does_not_keep_a_body_alive(drip):
    """A peer that sends one byte each 0.3 s has --timeout-body, and not longer."""
    first, byte = DRIPS[drip]
    fields = "Transfer-Encoding: chunked\r\n"
    settings = {"timeout_body": 1, "limit_body_rate": 1000}
    with Serving(echo, **settings) as serving, serving.connect() as sock:
        sock.sendall(request("/", fields, method="POST") + first)
        sock.settimeout(0.3)
        end = time.monotonic() + 4
        data = b""
        while time.monotonic() < end and not data:
            try:
                data = sock.recv(65536)
            except TimeoutError:
                sock.sendall(byte)
        assert data.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


@pytest.mark.http1  # over HTTP/2 see tests/http2: the windows limit it
def test_C11_the_server_does_not_read_ahead_of_a_slow_application():
    begun, go = threading.Event(), threading.Event()
    size = 64 << 20

    async def app(scope, receive, send):
        begun.set()
        await asyncio.to_thread(go.wait)
        total = 0
        while True:
            message = await receive()
            total += len(message["body"])
            if not message.get("more_body"):
                break
        await answer(send, b"%d" % total)

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request("/", f"Content-Length: {size}\r\n", method="POST"))
        assert begun.wait(DEADLINE_S)
        sock.settimeout(0.2)
        sent = send_until_full(sock, b"x" * size)
        # The sockets' buffers on both sides, and one read of the server.
        assert sent < 32 << 20
        go.set()
        sock.settimeout(DEADLINE_S)
        sock.sendall(b"x" * (size - sent))
        assert read_answer(sock).body == b"%d" % size


def send_until_full(sock, data):
    """Send until the peer accepts no more; return how many bytes were sent."""
    sent, view = 0, memoryview(data)
    while sent < len(data):
        try:
            sent += sock.send(view[sent : sent + 65536])
        except TimeoutError:
            break
    return sent


def test_C12_after_the_body_receive_waits_for_the_disconnect():
    seen = []

    async def app(scope, receive, send):
        await read_body(receive)
        waiting = asyncio.ensure_future(receive())
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        seen.append(bool(done))
        await answer(send)
        seen.append((await waiting)["type"])

    with Serving(app) as serving:
        assert serving.ask("/", body=b"x", method="POST").status == 200
    assert seen == [False, "http.disconnect"]


@pytest.mark.parametrize("fields", ["Content-Length: 9\r\n", CHUNKED])
def test_C13_a_disconnect_within_the_body_is_reported(fields):
    heard, gone = [], threading.Event()

    async def app(scope, receive, send):
        while not heard or heard[-1]["type"] == "http.request":
            heard.append(await receive())
        gone.set()

    with Serving(app) as serving:
        with serving.connect() as sock:
            sock.sendall(request("/", fields, method="POST"))
        assert gone.wait(DEADLINE_S)
    assert all(m.get("more_body") for m in heard[:-1])


@pytest.mark.parametrize(
    "fields", ["Content-Length: 11\r\n" + CLOSE, CHUNKED + CLOSE], ids=["length", "te"]
)
def test_C14_a_body_over_the_limit_is_413(fields):
    with Serving(echo, limit_body=10) as serving:
        body = (
            b"x" * 11 if "Length" in fields else b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n"
        )
        data = serving.talk(request("/", fields, method="POST") + body)
    assert data.startswith(b"HTTP/1.1 413 ")


def test_C15_receive_may_be_called_by_another_task():
    async def app(scope, receive, send):
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_body(receive))
        await answer(send, reading.result())

    with Serving(app) as serving:
        assert serving.ask("/", body=b"x" * 100_000, method="POST").is_whole
