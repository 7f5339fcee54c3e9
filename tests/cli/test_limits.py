"""Limits: one table of defaults, and what a peer over a limit receives.

docs/LIMITS.md documents the same.

Covers src/py/config.c and src/server/capacity.c.
"""

import asyncio
import contextlib
import importlib.util
import re
import threading
import time
from pathlib import Path

import apps
import pytest
from command import DEADLINE_S, connect, read_all, read_until, request, talk
from here import Here

from bolide import _engine
from bolide.config.config import Config
from bolide.config.rows import LIMITS

SOURCES = Path(__file__).parents[2] / "src"
HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None
SILENT_S = 1.0
"""Longer than SILENT_MS of src/server/accept.c."""

CHUNKED = "Transfer-Encoding: chunked\r\n"


def test_defaults_are_those_of_the_engine():
    text = (SOURCES / "http" / "limits.h").read_text(encoding="utf-8")
    table = text[text.index("HTTP_LIMITS_DEFAULT") :]
    engine = {k: int(v) for k, v in re.findall(r"\.(\w+) = (\d+)", table)}
    text = (SOURCES / "server" / "server.h").read_text(encoding="utf-8")
    engine["graceful_ms"] = int(re.search(r"graceful_ms; +/\* (\d+);", text).group(1))
    text = (SOURCES / "log" / "access.h").read_text(encoding="utf-8")
    size = re.search(r"ACCESS_BUFFER_BYTES +\((\d+u) << (\d+)\)", text)
    engine["access_log_bytes"] = number(" << ".join(size.groups()))
    for prefix, name in (
        ("compress", "coding/rules.h"),
        ("decompress", "coding/decompress.h"),
        ("cache", "cache/state.h"),
        ("static", "static/state.h"),
    ):
        text = (SOURCES / name).read_text(encoding="utf-8")
        table = text[text.index(f"{prefix.upper()}_CONFIG_DEFAULT") :]
        table = table[: table.index("})")]
        engine |= {
            f"{prefix}_{k}": int(v) for k, v in re.findall(r"\.(\w+) = (\d+)", table)
        }
    limits = [x for x in LIMITS if not x.key.startswith("ws_")]
    assert {x.key: x.for_engine(x.default) for x in limits} == engine


def number(text):
    """Return the value of a C expression that has at most one shift."""
    value, _, shift = text.replace("u", "").partition(" << ")
    return int(value) << int(shift or 0)


def test_defaults_of_websockets_are_those_of_the_engine():
    engine = {"ws_frame_bytes": 0}
    for name, prefix in (("state", "ws_"), ("extension", "ws_deflate_")):
        text = (SOURCES / "ws" / f"{name}.h").read_text(encoding="utf-8")
        table = text[text.index("_DEFAULT ") :]
        for key, value in re.findall(r"\.(\w+) = (\d+u?(?: << \d+)?)\b", table):
            engine[prefix + key] = number(value)
    text = (SOURCES / "asgi" / "websocket" / "websocket.h").read_text(encoding="utf-8")
    for key, value in re.findall(r"uint32_t (queue\w*); +/\* (\d+ ?\w*);", text):
        engine[f"ws_{key}"] = int(value.replace(" MiB", "")) << 20 * ("MiB" in value)
    limits = [x for x in LIMITS if x.key.startswith("ws_")]
    assert {x.key: x.for_engine(x.default) for x in limits} == engine


@pytest.mark.parametrize("limit", LIMITS, ids=[x.name for x in LIMITS])
def test_the_engine_accepts_the_whole_range(limit):
    async def app(scope, receive, send):
        pass

    def make(value):
        settings = Config(app, **{limit.name: value}).for_engine()
        settings |= {"log": print, "log_exception": print}
        _engine.Server(app, loop, settings).close()
        return settings[limit.key]

    loop = asyncio.new_event_loop()
    low, high = make(limit.lowest), make(limit.highest)
    loop.close()
    assert low == limit.for_engine(limit.lowest)
    assert high == limit.for_engine(limit.highest)


def test_a_time_above_0_is_never_0():
    assert Config("a:b", timeout_send=0.0001).for_engine()["send_stall_ms"] == 1


def post(fields, body):
    return request(fields=fields, method="POST") + body


def chunks(*sizes):
    return b"".join(b"%x\r\n%b\r\n" % (n, b"x" * n) for n in sizes)


REFUSED = [
    # the limit, the application, what is sent, the status, and what is logged
    (
        {"limit_request_line": 256},
        apps.hello,
        request("/" + "x" * (257 - len("GET / HTTP/1.1"))),
        414,
        "414, a request line over --limit-request-line 256",
    ),
    (
        {"limit_head": 512},
        apps.hello,
        request(fields="A: b\r\n" * 90),
        431,
        "431, a head over --limit-head 512",
    ),
    (
        {"limit_fields": 3},
        apps.hello,
        request(fields="A: b\r\n" * 3),
        431,
        "431, more fields than --limit-fields 3",
    ),
    (
        {"limit_body": 3},
        apps.echo,
        post("Content-Length: 4\r\n", b"1234"),
        413,
        "413, a body over --limit-body 3",
    ),
    (
        {"limit_body": 3},
        apps.echo,
        post(CHUNKED, chunks(2, 2, 0)),
        413,
        "413, a body over --limit-body 3",
    ),
    (
        {"limit_trailers": 8},
        apps.echo,
        post(CHUNKED, b"0\r\nA: 1234567\r\n\r\n"),
        431,
        "431, trailers over --limit-trailers 8",
    ),
    (
        {"limit_trailer_fields": 1},
        apps.echo,
        post(CHUNKED, b"0\r\nA: b\r\nC: d\r\n\r\n"),
        431,
        "431, more trailers than --limit-trailer-fields 1",
    ),
    (
        {"limit_chunk_overhead": 16},
        apps.echo,
        post(CHUNKED, chunks(1, 1, 1, 1, 1)),
        400,
        "400, more chunk framing in a second than --limit-chunk-overhead 16",
    ),
    (
        {"timeout_head": 0.1},
        apps.hello,
        b"GET / HTTP/1.1\r\n",
        408,
        "408, the head did not arrive within --timeout-head 0.1",
    ),
    (
        {"timeout_body": 0.1},
        apps.echo,
        post("Content-Length: 4\r\n", b"12"),
        408,
        "408, the body stalled for --timeout-body 0.1",
    ),
]


def ids(table):
    return [" ".join(x[0]) for x in table]


@pytest.mark.parametrize(
    ("limits", "app", "data", "status", "why"), REFUSED, ids=ids(REFUSED)
)
def test_a_request_over_a_limit_is_answered_logged_and_ends_the_connection(
    limits, app, data, status, why
):
    with Here(app, **limits) as server:
        answer = talk(server.port, data)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.count(b"HTTP/1.1") == 1
        level, line = server.log.line_with(": " + why)
        assert level == 30
        assert "more since" not in line


ALLOWED = [
    (
        {"limit_request_line": 256},
        apps.hello,
        request("/" + "x" * (256 - len("GET / HTTP/1.1"))),
    ),
    ({"limit_head": 512}, apps.hello, request(fields="A: b\r\n" * 80)),
    ({"limit_fields": 3}, apps.hello, request(fields="A: b\r\n" * 2)),
    ({"limit_body": 4}, apps.echo, post("Content-Length: 4\r\n", b"1234")),
    ({"limit_body": 4}, apps.echo, post(CHUNKED, chunks(2, 2, 0))),
    (
        {"limit_trailer_fields": 1},
        apps.echo,
        post(CHUNKED, b"0\r\nA: b\r\n\r\n"),
    ),
]


@pytest.mark.parametrize(("limits", "app", "data"), ALLOWED, ids=ids(ALLOWED))
def test_a_request_at_the_limit_is_served(limits, app, data):
    with Here(app, **limits) as server:
        with connect(server.port) as sock:
            sock.sendall(data)
            assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert not [text for level, text in server.log.lines if level >= 30]


def test_a_slow_body_is_rejected():
    """One byte each 50 ms never stalls, but is below the rate."""
    limits = {"timeout_body": 2, "limit_body_rate": 1000000}
    with Here(apps.echo, **limits) as server, connect(server.port) as sock:
        sock.sendall(request(fields="Content-Length: 1000\r\n", method="POST"))
        sock.settimeout(0.05)
        for _ in range(1000):
            try:
                answer = sock.recv(65536)
                break
            except TimeoutError:
                sock.sendall(b"x")
        assert answer.startswith(b"HTTP/1.1 408 ")
        server.log.line_with(
            "408, the body arrived slower than --limit-body-rate 1000000"
        )


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_an_idle_connection_is_closed_without_a_response(seconds):
    with Here(apps.hello, timeout_keep_alive=seconds) as server:
        assert talk(server.port, request(fields="")).endswith(b"hello")
        assert not [text for level, text in server.log.lines if level >= 30]


def test_a_peer_that_does_not_read_is_reset():
    limits = {"timeout_send": 0.2}
    with Here(apps.endless, **limits) as server, connect(server.port) as sock:
        sock.sendall(request(fields=""))
        server.log.line_with(": the peer did not read for --timeout-send 0.2")
        assert read_all(sock).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("length", "goes_on"), [(1000, True), (1001, False)])
def test_an_unread_body_is_discarded_up_to_the_limit(length, goes_on):
    with Here(apps.unread, limit_unread_body=1000) as server:
        first = post(f"Content-Length: {length}\r\n", b"x" * length)
        answer = talk(server.port, first + request())
        assert answer.count(b"HTTP/1.1 200 ") == 1 + goes_on


class Held:
    """An application whose responses wait until they are released; counts its calls."""

    def __init__(self):
        self.calls = 0
        self.news = threading.Condition()
        self.release = asyncio.Event()

    async def app(self, scope, receive, send):
        with self.news:
            self.calls += 1
            self.news.notify_all()
        self.loop = asyncio.get_running_loop()
        await self.release.wait()
        await apps.hello(scope, receive, send)

    def wait_for(self, calls):
        with self.news:
            assert self.news.wait_for(lambda: self.calls >= calls, DEADLINE_S)

    def end(self):
        self.loop.call_soon_threadsafe(self.release.set)


loops = pytest.mark.parametrize("loop", ["asyncio", *["uvloop"] * HAS_UVLOOP])


@loops
def test_requests_over_the_limit_of_connections_are_503(loop):
    held = Held()
    with (
        Here(held.app, loop=loop, limit_concurrency=1) as server,
        connect(server.port) as first,
    ):
        first.sendall(request())
        held.wait_for(1)
        for _ in range(40):
            with connect(server.port) as over:
                over.sendall(request(fields=""))
                answer = read_all(over)
                assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
                assert b"\r\nretry-after: 1\r\n" in answer
                assert b"\r\nconnection: close\r\n" in answer
        line = server.log.line_with("503, more connections than --limit-concurrency 1")
        assert line[0] == 30
        assert sum("--limit-concurrency" in x for _, x in server.log.lines) == 1
        held.end()
        assert read_all(first).endswith(b"hello")
        assert talk(server.port, request()).endswith(b"hello")
    assert held.calls == 2, "the application is not called for refused requests"


def test_a_connection_over_the_limit_is_served_if_there_is_room_by_then():
    with (
        Here(apps.hello, limit_concurrency=1) as server,
        connect(server.port) as first,
        connect(server.port) as second,
    ):
        first.sendall(request())
        assert read_all(first).endswith(b"hello")
        for _ in range(2):
            second.sendall(request(fields=""))
            read_until(second, b"hello")
        with connect(server.port) as third:
            third.sendall(request())
            assert read_all(third).endswith(b"hello"), "the idle connection is closed"


def test_the_number_of_connections_waiting_to_be_refused_is_limited():
    """Connections over the limit wait in the kernel's backlog until one closes."""
    with (
        Here(apps.hello, limit_concurrency=1, timeout_head=300) as server,
        connect(server.port) as first,
    ):
        silent = [connect(server.port) for _ in range(30)]
        server.log.line_with("accepting is paused: too many connections (17 open)")
        first.sendall(request())
        assert read_all(first).endswith(b"hello")
        for sock in silent:
            sock.close()
        end = time.monotonic() + DEADLINE_S
        while not talk(server.port, request()).endswith(b"hello"):
            assert time.monotonic() < end, "their slots are free again"


def test_a_silent_connection_over_the_limit_is_closed_as_a_slow_head():
    limits = {"limit_concurrency": 1, "timeout_head": 0.1, "timeout_keep_alive": 300}
    with (
        Here(apps.hello, **limits) as server,
        connect(server.port),
        connect(server.port) as over,
    ):
        assert read_all(over) == b""


def test_probes_are_answered_over_the_limit():
    held = Held()
    settings = {"limit_concurrency": 1, "health_path": "/health"}
    with Here(held.app, **settings) as server, connect(server.port) as first:
        first.sendall(request())
        held.wait_for(1)
        answer = talk(server.port, request("/health"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert talk(server.port, request("/")).startswith(b"HTTP/1.1 503 ")
        held.end()
        assert read_all(first).endswith(b"hello")


def test_a_refused_peer_has_time_to_read_the_response():
    """The connection ends after that time, however long the peer keeps sending."""
    limits = {"timeout_linger": 0.2}
    with Here(apps.hello, **limits) as server, connect(server.port) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")
        with pytest.raises(OSError, match=r"reset|pipe"):
            while True:
                sock.sendall(b"x")


def test_the_time_of_a_graceful_shutdown_is_limited():
    began = threading.Event()

    async def stuck(scope, receive, send):
        began.set()
        await asyncio.Event().wait()

    with Here(stuck, timeout_graceful_shutdown=0) as server:
        with connect(server.port) as sock:
            sock.sendall(request())
            assert began.wait(DEADLINE_S)
            server.server.should_exit = True
            assert not read_all(sock).startswith(b"HTTP/1.1 200 ")
        server.thread.join(DEADLINE_S)
        assert not server.thread.is_alive()


def test_the_longest_idle_connection_makes_room():
    with Here(apps.hello, limit_concurrency=3, timeout_keep_alive=300) as server:
        idle = [connect(server.port) for _ in range(3)]
        for sock in idle:
            sock.sendall(request(fields=""))
            read_until(sock, b"hello")
        with connect(server.port) as new:
            new.sendall(request(fields=""))
            read_until(new, b"hello")
            assert read_all(idle[0]) == b"", "the first connection is closed"
            for sock in idle[1:]:
                sock.sendall(request(fields=""))
                read_until(sock, b"hello")
        for sock in idle:
            sock.close()


@pytest.mark.parametrize(
    "sent",
    [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"],
    ids=["nothing", "a preface"],
)
def test_a_silent_connection_makes_room_before_a_used_one(sent):
    """Clients that only hold connections do not displace those that use theirs."""
    with (
        Here(apps.hello, limit_concurrency=2, timeout_keep_alive=300) as server,
        connect(server.port) as used,
        connect(server.port) as silent,
    ):
        silent.sendall(sent)
        end = time.monotonic() + SILENT_S
        while time.monotonic() < end:
            used.sendall(request(fields=""))
            read_until(used, b"hello")
        assert talk(server.port, request()).startswith(b"HTTP/1.1 200 ")
        read_all(silent)
        used.sendall(request(fields=""))
        read_until(used, b"hello")


def test_many_silent_connections_do_not_displace_used_ones():
    """Silent connections make room for each other, and for a new client in turn."""
    with (
        Here(apps.hello, limit_concurrency=8, timeout_keep_alive=300) as server,
        connect(server.port) as used,
        contextlib.ExitStack() as stack,
    ):
        used.sendall(request(fields=""))
        read_until(used, b"hello")
        for _ in range(60):
            stack.enter_context(connect(server.port))
        end = time.monotonic() + SILENT_S
        while time.monotonic() < end:
            used.sendall(request(fields=""))
            read_until(used, b"hello")
        while not talk(server.port, request()).startswith(b"HTTP/1.1 200 "):
            assert time.monotonic() < end + DEADLINE_S
        used.sendall(request(fields=""))
        read_until(used, b"hello")


def test_a_new_connection_does_not_make_room_at_once():
    """It may be about to send one: before its first request it is not idle yet."""
    with (
        Here(apps.hello, limit_concurrency=1, timeout_keep_alive=300) as server,
        connect(server.port) as first,
        connect(server.port) as second,
    ):
        second.sendall(request(fields=""))
        assert read_all(second).startswith(b"HTTP/1.1 503 ")
        first.sendall(request(fields=""))
        read_until(first, b"hello")
