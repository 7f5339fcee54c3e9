"""A connection that sends a lot at once does not delay the others.

The application stops its loop at the first call of a busy connection until another
client, which is already connected, has sent a request. The tests count the calls of the
busy connection that run before that request.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
import sys
import threading
import time
import zlib
from pathlib import Path

import hpack
import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, read_answer, request
from socketing import BINARY, Peer, accept, frame, handshake, talking

sys.path.insert(0, str(Path(__file__).parents[1] / "http2"))
from rawclient import Raw
from rawframes import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GET,
    POST,
    PREFACE,
    headers,
    settings,
    window_update,
)
from rawframes import frame as h2_frame

BUDGET = 32
"""Messages that a connection may have before it is the turn of others."""

loops = pytest.mark.parametrize("loop", LOOPS)


class Order:
    """Records who was called, in order; stops the loop at the first call but one."""

    def __init__(self):
        self.calls = []
        self.is_busy = threading.Event()
        self.is_sent = threading.Event()

    def note(self, who):
        """Record a call."""
        self.calls.append(who)
        if who == "busy" and not self.is_busy.is_set():
            self.is_busy.set()
            assert self.is_sent.wait(DEADLINE_S)

    async def app(self, scope, receive, send):
        """Record each request, message and part of a body; echo messages."""
        if scope["type"] == "websocket":
            await accept(receive, send)
            while (await receive())["type"] == "websocket.receive":
                self.note("busy")
                await send({"type": "websocket.send", "text": "x"})
            return
        if scope["path"] == "/polite":
            self.note("polite")
        elif scope["path"] == "/warm":
            pass
        elif scope["method"] == "POST":
            while (await receive()).get("more_body"):
                self.note("busy")
        else:
            self.note("busy")
        await answer(send, b"x")

    def before_polite(self, sock):
        """Send the polite request now; return how many calls ran before it."""
        assert self.is_busy.wait(DEADLINE_S)
        sock.sendall(request("/polite"))
        self.is_sent.set()
        assert read_answer(sock).body == b"x"
        return self.calls.index("polite")


def polite(serving):
    """Return a connection that has received a response."""
    sock = serving.connect_directly()
    sock.sendall(request("/warm"))
    assert read_answer(sock).body == b"x"
    return sock


def all_come(order, count):
    """Wait until the busy connections have had all their calls."""
    end = time.monotonic() + DEADLINE_S
    while order.calls.count("busy") < count and time.monotonic() < end:
        time.sleep(0.01)
    assert order.calls.count("busy") == count


@loops
def test_pipelined_requests_do_not_delay_another_client(loop):
    order = Order()
    with (
        Serving(order.app, loop) as serving,
        polite(serving) as other,
        serving.connect_directly() as busy,
    ):
        busy.sendall(request() * 1000)
        assert order.before_polite(other) <= 2 * BUDGET
        all_come(order, 1000)


@loops
def test_messages_do_not_delay_another_client(loop):
    order = Order()
    with talking(order.app, loop=loop) as (peer, serving), polite(serving) as other:
        peer.sock.sendall(frame(BINARY, b"x") * 3000)
        assert order.before_polite(other) <= 2 * BUDGET
        all_come(order, 3000)


@loops
def test_small_parts_of_a_body_do_not_delay_another_client(loop):
    order = Order()
    with (
        Serving(order.app, loop) as serving,
        polite(serving) as other,
        Raw(serving) as raw,
    ):
        raw.send(headers(1, POST, END_HEADERS) + h2_frame(DATA, 0, 1, b"x") * 3000)
        assert order.before_polite(other) <= 2 * BUDGET
        raw.send(h2_frame(DATA, END_STREAM, 1))
        raw.until(lambda: raw.body(1) == b"x")


@loops
def test_streams_do_not_delay_another_client(loop):
    order = Order()
    with (
        Serving(order.app, loop) as serving,
        polite(serving) as other,
        Raw(serving) as raw,
    ):
        raw.send(b"".join(headers(1 + 2 * n, GET) for n in range(100)))
        assert order.before_polite(other) <= 2 * BUDGET
        raw.until(lambda: raw.body(199) == b"x")


def test_all_messages_are_answered_before_the_connection_ends():
    """Work that waits for its budget is not lost when the connection ends meanwhile."""
    order = Order()
    order.is_sent.set()
    with talking(order.app) as (peer, _):
        peer.sock.sendall(frame(BINARY, b"x") * 500 + frame(8, b"\x03\xe8"))
        for _ in range(500):
            assert peer.frame() == (1, b"x")
        assert peer.close_code() == (1000, "")


def test_all_pipelined_requests_are_answered_before_the_connection_ends():
    order = Order()
    order.is_sent.set()
    with Serving(order.app) as serving:
        got = serving.talk(request() * 499 + request(fields="Connection: close\r\n"))
    assert got.count(b"HTTP/1.1 200 ") == 500


def test_a_request_that_waits_for_its_budget_does_not_time_out():
    """The idle timeout of a connection does not run while requests wait."""

    async def app(scope, receive, send):
        time.sleep(0.03)
        await answer(send, b"x")

    with Serving(app, timeout_keep_alive=0.2, timeout_head=0.2) as serving:
        got = serving.talk(request() * 39 + request(fields="Connection: close\r\n"))
    assert got.count(b"HTTP/1.1 200 ") == 40


def deflated(size):
    """Return a frame whose message has ``size`` bytes when it is inflated."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -12)
    data = deflater.compress(bytes(size)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return frame(BINARY, data[:-4], rsv=4)


@loops
def test_messages_that_inflate_do_not_delay_another_client(loop):
    """Eight messages of 1 MiB are received in one read; each exceeds the budget."""
    order = Order()
    ask = handshake(fields="Sec-WebSocket-Extensions: permessage-deflate\r\n")
    with (
        talking(order.app, ask, loop=loop) as (peer, serving),
        polite(serving) as other,
    ):
        peer.sock.sendall(deflated(1 << 20) * 8)
        assert order.before_polite(other) <= 2
        all_come(order, 8)


class Steps(Order):
    """Stops the loop at each polite call too, until the next request has been sent.

    So there is a polite request whenever the server turns to other connections, and the
    number of polite calls shows how often it did.
    """

    def __init__(self):
        super().__init__()
        self.called = threading.Semaphore(0)
        self.sent = threading.Semaphore(0)

    def note(self, who):
        """Record a call."""
        super().note(who)
        if who == "polite":
            self.called.release()
            assert self.sent.acquire(timeout=DEADLINE_S)

    def looks(self, socks, count):
        """Return how often others were served during ``count`` calls of busy ones."""
        assert self.is_busy.wait(DEADLINE_S)
        turns = itertools.cycle(socks)
        next(turns).sendall(request("/polite"))
        self.is_sent.set()
        while self.calls.count("busy") < count:
            assert self.called.acquire(timeout=DEADLINE_S)
            next(turns).sendall(request("/polite"))
            self.sent.release()
        self.sent.release(2)
        last = [n for n, who in enumerate(self.calls) if who == "busy"][count - 1]
        return self.calls[:last].count("polite")


@loops
@pytest.mark.parametrize("takeover", [False, True])
@pytest.mark.parametrize("busy", [1, 3])
def test_inflating_a_long_message_is_divided(loop, takeover, busy):
    """A message of 15 MiB is 60 budgets, each of which may be exceeded by 64 KiB."""
    order = Steps()
    ask = handshake(fields="Sec-WebSocket-Extensions: permessage-deflate\r\n")
    options = {"ws_client_takeover": takeover}
    with contextlib.ExitStack() as stack:
        peer, serving = stack.enter_context(
            talking(order.app, ask, loop=loop, **options)
        )
        peers = [peer] + [
            Peer(stack.enter_context(serving.connect_directly()), ask)
            for _ in range(busy - 1)
        ]
        others = [stack.enter_context(polite(serving)) for _ in range(4)]
        for each in peers:
            each.sock.sendall(frame(BINARY, b"x") + deflated(15 << 20))
        assert order.looks(others, 2 * busy) >= 45 * busy


def wide(spoken_here, method="GET", path="/"):
    """Return a request whose response is not limited by a window of HTTP/2."""
    if spoken_here == "http":
        return request(path, method=method, fields="Connection: close\r\n")
    block = hpack.Encoder().encode(
        [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")]
    )
    windows = settings((4, 1 << 30)) + window_update(0, 1 << 30)
    return PREFACE + windows + headers(1, block)


class Turns:
    """Counts turns of the running loop, and the most bytes sent between two turns."""

    def __init__(self):
        self.sent = self.most = 0
        self.running = asyncio.get_running_loop()
        self.turn()

    def turn(self):
        """Record the end of a turn."""
        self.most = max(self.most, self.sent)
        self.sent = 0
        self.running.call_soon(self.turn)


PART = {"type": "http.response.body", "body": bytes(60_000), "more_body": True}
LAST = {"type": "http.response.body", "body": b""}


@loops
@pytest.mark.parametrize("spoken_here", ["http", "h2"])
@pytest.mark.parametrize("count", [1, 8])
def test_responses_read_as_fast_as_sent_let_the_loop_turn(count, spoken_here, loop):
    """Tasks that never wait are limited only by the server, alone and together."""
    turns = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        turns.append(turns[0] if turns else Turns())
        for _ in range(400):
            await send(PART)
            turns[0].sent += 60_000
        await send(LAST)

    def read(sock):
        left = 400 * 60_000
        while left > 0:
            left -= len(sock.recv(1 << 20))

    with contextlib.ExitStack() as stack:
        serving = stack.enter_context(Serving(app, loop=loop))
        readers = []
        for _ in range(count):
            sock = stack.enter_context(serving.connect_directly())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            sock.sendall(wide(spoken_here))
            readers.append(threading.Thread(target=read, args=(sock,)))
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(DEADLINE_S)
    together = 512 << 10  # written ahead
    each = 3 * 60_000 + (64 << 10)  # waiting in the queue, and what is sent before it
    assert 0 < turns[0].most <= together + count * each


EMPTY = {**PART, "body": b""}


async def repeat(send, message, sent=None):
    """Send a message until the connection ends, and count it in ``sent[0]``.

    The clients are threads of this process. A loop that always has something to do
    releases the interpreter for so short a time that they could get it too late, after
    the server has closed their connections: here it is released for longer.
    """
    with contextlib.suppress(OSError):
        for n in itertools.count():
            await send(message)
            if sent is not None:
                sent[0] = n + 1
            if n % 64 == 0:
                time.sleep(0.0001)


@loops
@pytest.mark.parametrize("spoken_here", ["http", "h2"])
@pytest.mark.parametrize(
    ("method", "status", "part"),
    [("HEAD", 200, PART), ("GET", 204, PART), ("GET", 304, PART), ("GET", 200, EMPTY)],
    ids=["HEAD", "204", "304", "empty"],
)
def test_a_task_that_sends_nothing_lets_the_loop_turn(
    spoken_here, method, status, part, loop
):
    """What it sends is dropped, so it never has to wait for its peer."""
    failed = threading.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/other":
            return await answer(send)
        await send({"type": "http.response.start", "status": status})
        await repeat(send, part)
        failed.set()
        return None

    with Serving(app, loop=loop) as serving:
        with serving.connect_directly() as sock:
            sock.sendall(wide(spoken_here, method))
            sock.recv(1)
            assert serving.ask("/other").status == 200
        assert failed.wait(DEADLINE_S)
        assert serving.ask("/other").status == 200


HINT = {"type": "http.response.early_hint", "links": [b"</%s>" % (b"a" * 8000)]}
NO_HINT = {**HINT, "links": []}


def hinting(hint, before=()):
    """Return an application that only hints, how many it has sent, and its end."""
    sent, ended = [0], threading.Event()

    async def app(scope, receive, send):
        if scope["path"] == "/other":
            return await answer(send)
        for message in before:
            await send(message)
        await repeat(send, hint, sent)
        ended.set()
        return None

    return app, sent, ended


def hungry(sock):
    """Read from a connection in a thread until it ends."""

    def read():
        with contextlib.suppress(OSError):
            while sock.recv(1 << 20):
                pass

    reader = threading.Thread(target=read)
    reader.start()
    return reader


START = {"type": "http.response.start", "status": 200}


@loops
@pytest.mark.parametrize("spoken_here", ["http", "http/1.0", "h2"])
@pytest.mark.parametrize(
    ("hint", "before"),
    [(HINT, ()), (NO_HINT, ()), (HINT, (START, {**PART, "body": b"x"}))],
    ids=["hints", "no links", "late"],
)
def test_a_task_that_only_hints_lets_the_loop_turn(spoken_here, hint, before, loop):
    app, _, ended = hinting(hint, before)
    sent = wide("h2" if spoken_here == "h2" else "http")
    if spoken_here == "http/1.0":
        sent = request(version="1.0")
    with (
        Serving(app, loop=loop, timeout_graceful_shutdown=1) as serving,
        serving.connect_directly() as sock,
    ):
        sock.sendall(sent)
        reader = hungry(sock)
        for _ in range(20):
            assert serving.ask("/other").status == 200
        sock.shutdown(socket.SHUT_RDWR)
        reader.join(DEADLINE_S)
    assert ended.wait(DEADLINE_S)


@loops
@pytest.mark.parametrize("spoken_here", ["http", "h2"])
def test_unread_hints_wait(spoken_here, loop):
    app, sent, ended = hinting(HINT)
    with Serving(app, loop=loop) as serving:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(serving.place)
            sock.sendall(wide(spoken_here))
            before = -1
            while before != sent[0]:
                before = sent[0]
                assert before * 8000 < 16 << 20  # the kernel's buffers
                for _ in range(20):
                    assert serving.ask("/other").status == 200
            reader = hungry(sock)
            end = time.monotonic() + DEADLINE_S
            while sent[0] < before + 100 and time.monotonic() < end:
                time.sleep(0.01)
            assert sent[0] >= before + 100
            sock.shutdown(socket.SHUT_RDWR)
            reader.join(DEADLINE_S)
            # A socket whose window is closed may not answer after it is closed.
            no_time = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
        assert ended.wait(DEADLINE_S)


def whole(peer):
    """Return a compressed message of several frames."""
    payload, fin, first = b"", 0, None
    while not fin:
        head = peer.take(2)
        fin, size = head[0] & 0x80, head[1]
        first = head[0] & 0x7F if first is None else first
        if size > 125:
            size = int.from_bytes(peer.take(2 if size == 126 else 8), "big")
        payload += peer.take(size)
    assert first == 0x40 | BINARY
    return zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")


@loops
@pytest.mark.parametrize("takeover", [False, True])
def test_compressing_a_long_message_is_divided(loop, takeover):
    """A message of 2.8 MiB is 11 budgets; a polite request waits for each of them."""
    sent = b"".join(b"%d " % (n * n) for n in range(1 << 18))
    order = Steps()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            return await order.app(scope, receive, send)
        await accept(receive, send)
        await receive()
        order.note("busy")
        await send({"type": "websocket.send", "bytes": sent})
        order.note("busy")
        await send({"type": "websocket.send", "bytes": sent})
        await send({"type": "websocket.close"})
        return None

    offer = handshake(fields="Sec-WebSocket-Extensions: permessage-deflate\r\n")
    with (
        contextlib.ExitStack() as stack,
        Serving(app, loop, ws_server_takeover=takeover) as serving,
        serving.connect_directly() as busy,
    ):
        others = [stack.enter_context(polite(serving)) for _ in range(4)]
        peer = Peer(busy, offer)
        reader = threading.Thread(target=lambda: got.append(whole(peer)))
        got = []
        busy.sendall(frame(BINARY, b"x"))
        reader.start()
        assert order.looks(others, 2) >= 8
        reader.join(DEADLINE_S)
        assert got == [sent]
        if not takeover:
            assert whole(peer) == sent
            assert peer.close_code() == (1000, "")
