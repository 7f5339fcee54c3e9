"""A connection that asks for a lot at once does not keep the others waiting.

An application stops its loop at the first call of a busy connection until another
client, which is connected, has sent a request; what counts is how many calls of the
busy one come before that request's.
"""

import contextlib
import itertools
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, read_answer, request
from socketing import BINARY, Peer, accept, frame, handshake, talking

sys.path.insert(0, str(Path(__file__).parents[1] / "http2"))
from rawframes import DATA, END_HEADERS, END_STREAM, GET, POST, Raw, headers
from rawframes import frame as h2_frame

BUDGET = 32
"""Messages that a connection may have before others have their turn."""

loops = pytest.mark.parametrize("loop", LOOPS)


class Order:
    """Who was called, in order; stops the loop at the first call but one."""

    def __init__(self):
        self.calls = []
        self.is_busy = threading.Event()
        self.is_sent = threading.Event()

    def note(self, who):
        """Note a call."""
        self.calls.append(who)
        if who == "busy" and not self.is_busy.is_set():
            self.is_busy.set()
            assert self.is_sent.wait(DEADLINE_S)

    async def app(self, scope, receive, send):
        """Note each request, message and part of a body; echo messages."""
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
        """Send the polite request now; return how many calls came before it."""
        assert self.is_busy.wait(DEADLINE_S)
        sock.sendall(request("/polite"))
        self.is_sent.set()
        assert read_answer(sock).body == b"x"
        return self.calls.index("polite")


def polite(serving):
    """Return a connection that has had an answer."""
    sock = serving.connect_directly()
    sock.sendall(request("/warm"))
    assert read_answer(sock).body == b"x"
    return sock


def all_come(order, count):
    """Wait until the busy ones have had all their calls."""
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


def test_messages_are_all_answered_also_at_the_end():
    """What waits for its budget is not lost to the end of the connection behind it."""
    order = Order()
    order.is_sent.set()
    with talking(order.app) as (peer, _):
        peer.sock.sendall(frame(BINARY, b"x") * 500 + frame(8, b"\x03\xe8"))
        for _ in range(500):
            assert peer.frame() == (1, b"x")
        assert peer.close_code() == (1000, "")


def test_pipelined_requests_are_all_answered_also_at_the_end():
    order = Order()
    order.is_sent.set()
    with Serving(order.app) as serving:
        got = serving.talk(request() * 499 + request(fields="Connection: close\r\n"))
    assert got.count(b"HTTP/1.1 200 ") == 500


def test_a_request_that_waits_for_its_budget_is_not_timed_out():
    """The time of a connection between requests does not run while some wait."""

    async def app(scope, receive, send):
        time.sleep(0.03)
        await answer(send, b"x")

    with Serving(app, timeout_keep_alive=0.2, timeout_head=0.2) as serving:
        got = serving.talk(request() * 39 + request(fields="Connection: close\r\n"))
    assert got.count(b"HTTP/1.1 200 ") == 40


def deflated(size):
    """Return a frame of a message that is so long when it is inflated."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -12)
    data = deflater.compress(bytes(size)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return frame(BINARY, data[:-4], rsv=4)


@loops
def test_messages_that_inflate_do_not_delay_another_client(loop):
    """Eight messages of 1 MiB are in one read; each is more than a budget."""
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

    So there is a polite request whenever the server looks for others, and the calls
    count how often it has looked.
    """

    def __init__(self):
        super().__init__()
        self.called = threading.Semaphore(0)
        self.sent = threading.Semaphore(0)

    def note(self, who):
        """Note a call."""
        super().note(who)
        if who == "polite":
            self.called.release()
            assert self.sent.acquire(timeout=DEADLINE_S)

    def looks(self, socks, count):
        """Return how often the server looks before so many calls of the busy ones."""
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
def test_a_message_that_inflates_is_divided(loop, takeover, busy):
    """A message of 15 MiB is 60 budgets, of which each may be passed by 64 KiB."""
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
