"""Group G, second part: files as bodies, by path and by descriptor.

Covers src/asgi/http/files.c.
"""

import contextlib
import functools
import hashlib
import io
import os
import resource
import threading
import time

import pytest
import serving as servers
from serving import (
    DEADLINE_S,
    body_of,
    more,
    read_all,
    read_answer,
    request,
    start,
)

MIB = 1 << 20
SIZES = [0, 1, 2048, 16384, 16385, MIB, 5 * MIB + 1]
CLOSE = request(fields="Connection: close\r\n")
Serving = functools.partial(servers.Serving, pathsend=True)
outcome = functools.partial(servers.outcome, pathsend=True)


def content(n):
    return hashlib.shake_128(b"f").digest(n)


@pytest.fixture
def make(tmp_path):
    """Return a function that creates a file of n bytes and returns its path."""

    def make(n, name="file"):
        path = tmp_path / name
        path.write_bytes(content(n))
        return path

    return make


def path_message(path):
    return {"type": "http.response.pathsend", "path": str(path)}


def length(n):
    return [(b"content-length", b"%d" % n)]


def send_path(path, headers=()):
    """Return an application that responds with a file, and a list of what send()
    raised.
    """
    raised = []

    async def app(scope, receive, send):
        assert scope["extensions"]["http.response.pathsend"] == {}
        await start(send, headers=headers)
        try:
            await send(path_message(path))
        except Exception as error:
            raised.append(error)
            raise

    return app, raised


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("tells", [True, False])
def test_G6_a_file_is_received_unchanged(make, n, tells):
    app, _ = send_path(make(n), length(n) if tells else ())
    with Serving(app) as serving, serving.connect() as sock:
        for _ in range(2):
            sock.sendall(request())
            answer = read_answer(sock)
            assert answer.status == 200
            assert answer.field("content-length") == str(n)
            assert answer.body == content(n)


def test_G6_a_relative_path_is_allowed(make, monkeypatch):
    path = make(100)
    monkeypatch.chdir(path.parent)
    app, _ = send_path(path.name)
    with Serving(app) as serving:
        assert serving.ask().body == content(100)


def test_G6_a_file_is_sent_to_an_http_1_0_client(make):
    app, _ = send_path(make(MIB))
    with Serving(app) as serving:
        assert body_of(serving.talk(request(version="1.0"))) == content(MIB)


def test_G7_a_file_before_the_start_raises(make):
    async def send_all(send):
        await send(path_message(make(10)))

    data, log = outcome(send_all)
    assert data.startswith(b"HTTP/1.1 500 ")
    assert isinstance(log.exceptions[0], RuntimeError)


def test_G8_a_path_after_a_body_raises(make):
    async def send_all(send):
        await start(send)
        await more(send, b"a")
        with pytest.raises(RuntimeError, match="behind a body"):
            await send(path_message(make(10)))
        await send({"type": "http.response.body", "body": b"b"})

    data, log = outcome(send_all)
    assert data.endswith(b"ab")
    assert log.exceptions == []


def test_G9_a_file_that_cannot_be_used_is_500(make, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, error in (
        (tmp_path / "missing", FileNotFoundError),
        (tmp_path, OSError),
        (fifo, OSError),
        ("/dev/zero", OSError),
    ):
        app, raised = send_path(path)
        with Serving(app) as serving:
            answer = serving.ask()
        assert (answer.status, answer.is_whole) == (500, True)
        assert isinstance(raised[0], error)


@pytest.mark.parametrize("message", [{}, {"path": 3}, {"path": "a\0b"}])
def test_G9_a_message_without_a_valid_path_raises(message):
    async def send_all(send):
        await start(send)
        with pytest.raises((ValueError, TypeError)):
            await send({"type": "http.response.pathsend", **message})
        await send({"type": "http.response.body", "body": b"x"})

    data, _ = outcome(send_all)
    assert data.endswith(b"\r\n\r\nx")


@pytest.mark.parametrize("n", [10, MIB])
def test_G10_a_response_to_head_has_no_body(make, n):
    app, _ = send_path(make(n), length(n))
    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request(method="HEAD") + CLOSE.replace(b"GET", b"HEAD"))
        data = read_all(sock)
    assert data.count(b"\r\n\r\n") == 2
    assert data.count(b"content-length: %d\r\n" % n) == 2
    assert data.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("n", [10, MIB])
def test_G11_a_file_shorter_than_the_content_length_ends_the_connection(make, n):
    app, raised = send_path(make(n), length(n + 1))
    with Serving(app) as serving:
        answer = serving.ask()
    assert not answer.is_whole
    assert len(answer.body) in (0, n)
    assert raised


def test_G11_a_file_longer_than_the_content_length_raises(make):
    app, raised = send_path(make(MIB), length(MIB - 1))
    with Serving(app) as serving:
        assert serving.ask().status == 500
    assert raised


def test_G11_a_file_truncated_while_it_is_sent_ends_the_connection(make):
    path = make(64 * MIB)
    app, _ = send_path(path)
    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request())
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
        os.truncate(path, MIB)
        assert len(read_all(sock)) < 64 * MIB


def test_G12_send_returns_before_the_file_is_sent(make):
    """The application has ended before the client reads; the file may be deleted."""
    ended = threading.Event()
    path = make(32 * MIB)

    async def app(scope, receive, send):
        await start(send)
        await send(path_message(path))
        path.unlink()
        ended.set()

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(CLOSE)
        assert ended.wait(DEADLINE_S)
        assert body_of(read_all(sock)) == content(32 * MIB)


def test_G12_a_sparse_file_over_4_gib_needs_no_memory(tmp_path):
    n = (4 << 30) + 5
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(n - 3)
        file.seek(n - 3)
        file.write(b"end")
    app, _ = send_path(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(CLOSE)
        room = bytearray(MIB)
        got, last = 0, b""
        while k := sock.recv_into(room):
            got += k
            last = (last + room[max(0, k - 3) : k])[-3:]
    assert got > n
    assert last == b"end"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 50_000


def test_G12_pipelined_files_are_sent_in_order_and_closed(make):
    path = make(100_000)
    app, _ = send_path(path)
    with Serving(app) as serving, serving.connect() as sock:
        before = len(os.listdir("/proc/self/fd"))
        sock.sendall(request() * 49 + CLOSE)
        data, seen = b"", 0
        while piece := sock.recv(MIB):
            data += piece
            seen = max(seen, len(os.listdir("/proc/self/fd")) - before)
        # The server may not have closed its side yet.
        assert len(os.listdir("/proc/self/fd")) <= before + 1
    answers = data.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert [body_of(answer) for answer in answers] == [content(100_000)] * 50
    assert seen <= 3


def test_G12_a_disconnect_closes_the_file(make):
    path = make(32 * MIB)
    app, _ = send_path(path)
    with Serving(app) as serving:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with serving.connect() as sock:
                sock.sendall(request())
                sock.recv(10)
        end = time.monotonic() + DEADLINE_S
        while len(os.listdir("/proc/self/fd")) > before:
            assert time.monotonic() < end


def zero_copy(file, **more):
    return {"type": "http.response.zerocopysend", "file": file, **more}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("at", [0, 1])
def test_G13_an_open_file_is_sent_from_its_position_to_its_end(make, n, at):
    path = make(n)
    positions = []

    async def send_all(send):
        with path.open("rb", buffering=0) as file:
            file.seek(at)
            await start(send)
            await send(zero_copy(file))
            positions.append(file.tell())

    data, _ = outcome(send_all)
    assert body_of(data) == content(n)[at:]
    assert positions == [max(n, at)]


@pytest.mark.parametrize(
    ("offset", "count", "sent"),
    [
        (0, 10, slice(0, 10)),
        (5, None, slice(5, None)),
        (100_000, 50_000, slice(100_000, 150_000)),
        (199_999, 100, slice(199_999, None)),
        (300_000, 10, slice(0, 0)),
        (7, 0, slice(0, 0)),
    ],
)
def test_G14_offset_and_count_are_respected(make, offset, count, sent):
    path = make(200_000)

    async def send_all(send):
        with path.open("rb") as file:
            await start(send)
            await send(zero_copy(file, offset=offset, count=count))
            assert file.tell() == 0

    data, _ = outcome(send_all)
    assert body_of(data) == content(200_000)[sent]


@pytest.mark.parametrize("message", [{"offset": -1}, {"count": -1}, {"count": "1"}])
def test_G14_invalid_offsets_and_counts_raise(make, message):
    path = make(10)

    async def send_all(send):
        await start(send)
        with path.open("rb") as file, pytest.raises((ValueError, TypeError)):
            await send(zero_copy(file, **message))
        await send({"type": "http.response.body", "body": b"x"})

    assert body_of(outcome(send_all)[0]) == b"x"


def unchunked(data):
    """Return the body of chunks."""
    body, rest = b"", data
    while True:
        size, _, rest = rest.partition(b"\r\n")
        n = int(size, 16)
        if n == 0:
            assert rest == b"\r\n"
            return body
        assert rest[n : n + 2] == b"\r\n"
        body, rest = body + rest[:n], rest[n + 2 :]


@pytest.mark.parametrize("n", [10, 300_000])
def test_G15_G17_parts_keep_their_order(make, n):
    path = make(n)
    has_more = {"more_body": True}

    async def send_all(send):
        with path.open("rb", buffering=0) as file:
            await start(send)
            await more(send, b"<")
            await send(zero_copy(file, count=4, **has_more))
            await send(zero_copy(file, **has_more))
            await more(send, b"|")
            await send(zero_copy(file, offset=2, count=n - 4, **has_more))
            await send(zero_copy(file, offset=0))

    data, _ = outcome(send_all)
    whole = content(n)
    body = body_of(data)
    if b"transfer-encoding: chunked" in data:
        body = unchunked(body)
    assert body == b"<" + whole + b"|" + whole[2 : n - 2] + whole


def test_G16_the_file_remains_the_application_s(make):
    """The server does not close it; the application may close it before it is sent."""
    path = make(16 * MIB)
    ended = threading.Event()

    async def app(scope, receive, send):
        file = path.open("rb")
        await start(send)
        await send(zero_copy(file))
        assert not file.closed
        os.fstat(file.fileno())
        file.close()
        ended.set()

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(CLOSE)
        assert ended.wait(DEADLINE_S)
        assert body_of(read_all(sock)) == content(16 * MIB)


def test_G18_a_file_that_is_not_regular_raises():
    async def send_all(send):
        await start(send)
        reading, writing = os.pipe()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, reading)
            stack.callback(os.close, writing)
            for file in io.BytesIO(b"x"), object(), None, reading, "name":
                with pytest.raises((OSError, ValueError, TypeError)):
                    await send(zero_copy(file))
            with pytest.raises(ValueError, match="without a file"):
                await send({"type": "http.response.zerocopysend"})
        await send({"type": "http.response.body", "body": b"x"})

    assert body_of(outcome(send_all)[0]) == b"x"


def test_G19_files_over_tls_are_tested_in_tests_tls():
    """tests/tls/test_files.py sends files over TLS and HTTP/2."""


def test_an_extension_that_is_not_advertised_is_unknown(make):
    async def send_all(send):
        await start(send)
        for message in (path_message(make(1)), zero_copy(1)):
            with pytest.raises(RuntimeError, match="not known here"):
                await send(message)
        await send({"type": "http.response.body", "body": b"x"})

    assert body_of(servers.outcome(send_all)[0]) == b"x"


def test_B38_the_error_names_middleware_that_drops_messages(make):
    path = make(1)

    async def app(scope, receive, send):
        async def passes(message):
            if message["type"] in ("http.response.start", "http.response.body"):
                held.append(message)
            if message["type"] == "http.response.body":
                for one in held:
                    await send(one)

        held = []
        await start(passes)
        if "http.response.pathsend" in scope["extensions"]:
            await passes(path_message(path))
        else:
            await passes({"type": "http.response.body", "body": path.read_bytes()})

    with servers.Serving(app) as serving:
        assert serving.ask().body == content(1)
    with Serving(app) as serving:
        assert serving.ask().status == 500
    (error,) = serving.log.errors()
    assert "http.response.pathsend" in error and "--pathsend" in error


@pytest.mark.parametrize("kind", ["path", "file"])
def test_E7_a_file_after_the_last_part_raises_and_the_response_can_be_ended(make, kind):
    path = make(10)

    async def send_all(send):
        message = {"type": "http.response.start", "status": 200, "trailers": True}
        await send(message)
        await send({"type": "http.response.body", "body": b"x" * (kind == "file")})
        with path.open("rb") as file:
            late = path_message(path) if kind == "path" else zero_copy(file)
            with pytest.raises(RuntimeError, match="after the last one"):
                await send(late)
        await send({"type": "http.response.trailers", "headers": []})

    data, log = outcome(send_all)
    assert body_of(data) in (b"", b"x", b"0\r\n\r\n", b"1\r\nx\r\n0\r\n\r\n")
    assert log.exceptions == [] and log.errors() == []
