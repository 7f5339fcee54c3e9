"""Messages whose parts run code when they are read, and messages after the end.

Covers src/asgi/http/respond.c, src/asgi/http/extensions.c and
src/asgi/websocket/websocket_send.c.
"""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from leaving import SOON_S, forever
from serving import DEADLINE_S, Record, Serving, read_until, request
from socketing import handshake, talking

import bolide

START = {"type": "http.response.start", "status": 200}


class Number:
    """A number that calls a function when it is read."""

    def __init__(self, number, act):
        self.number, self.act = number, act

    def __index__(self):
        """Return the number."""
        self.act()
        return self.number


class Key:
    """A key of a dict that calls a function when ``text`` is looked up."""

    def __init__(self, text, act):
        self.text, self.act = text, act

    def __hash__(self):
        return hash(self.text)

    def __eq__(self, other):
        if other == self.text:
            self.act()
        return False


def fields(act, *pairs):
    """Return headers that call ``act`` when they are read."""
    act()
    yield from pairs


async def start_close(send, close):
    await send(START | {"headers": fields(close)})


async def trailers_close(send, close):
    await send(START | {"trailers": True})
    await send({"type": "http.response.body", "body": b"x"})
    await send({"type": "http.response.trailers", "headers": fields(close)})


async def accept_close(send, close):
    await send({"type": "websocket.accept", "headers": fields(close)})


async def code_close(send, close):
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": Number(3000, close)})


async def key_close(send, close):
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", Key("bytes", close): 1, "text": "x"})


class File:
    """A file that calls a function when its descriptor is read."""

    def __init__(self, act):
        self.act = act

    def fileno(self):
        """Return a descriptor."""
        self.act()
        return FILE.fileno()


FILE = Path(__file__).open("rb")  # noqa: SIM115


async def file_close(send, close):
    await send(START)
    await send({"type": "http.response.zerocopysend", "file": File(close)})


@pytest.mark.parametrize(
    ("sends", "asked"),
    [
        (start_close, request()),
        (trailers_close, request(fields="TE: trailers\r\n")),
        (file_close, request()),
        (accept_close, handshake()),
        (code_close, handshake()),
        (key_close, handshake()),
    ],
)
def test_a_message_may_close_the_server_while_it_is_read(sends, asked):
    servings, raised, ended = [], [], threading.Event()

    async def app(scope, receive, send):
        await receive()
        await asyncio.sleep(0)  # outside of a turn
        try:
            await sends(send, servings[0].server._engine.close)
        except Exception as failure:
            raised.append(failure)
        finally:
            ended.set()

    with Serving(app, pathsend=True) as serving:
        servings.append(serving)
        with serving.connect_directly() as sock:
            sock.sendall(asked)
            assert ended.wait(DEADLINE_S)
            serving.server.should_exit = True
    assert [isinstance(x, OSError) for x in raised] == [True], raised


@pytest.mark.parametrize(
    "message",
    [
        {"type": "http.response.trailers", "headers": []},
        {"type": "http.response.pathsend", "path": "/dev/null"},
        {"type": "http.response.zerocopysend", "file": 0},
        {"type": "http.response.body", "body": b"x"},
    ],
    ids=lambda message: message["type"],
)
def test_what_is_sent_after_the_client_has_left_raises(message):
    raised, ended = [], threading.Event()

    async def app(scope, receive, send):
        await send(START | {"trailers": True})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        try:
            await send(message)
        except Exception as failure:
            raised.append(failure)
        finally:
            ended.set()

    with Serving(app, pathsend=True) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            read_until(sock, b"x")
        assert ended.wait(DEADLINE_S)
    assert [isinstance(x, OSError) for x in raised] == [True], raised


def test_a_close_code_must_be_a_number():
    raised, ended = [], threading.Event()

    async def app(scope, receive, send):
        await receive()
        with pytest.raises(RuntimeError, match="not known"):
            await send({"type": "websocket.other"})
        await send({"type": "websocket.accept"})
        try:
            await send({"type": "websocket.close", "code": "1000"})
        except TypeError as failure:
            raised.append(failure)
        await send({"type": "websocket.close", "code": None})
        ended.set()

    with talking(app) as (peer, _):
        assert peer.frame()[0] == 8
        assert ended.wait(DEADLINE_S)
    assert len(raised) == 1


def test_a_denial_waits_for_a_client_that_reads_slowly():
    size, ended = 30_000_000, threading.Event()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.http.response.start", "status": 403})
        message = {"type": "websocket.http.response.body"}
        for _ in range(30):
            await send(message | {"body": bytes(size // 30), "more_body": True})
        await send(message)
        ended.set()

    with Serving(app) as serving, serving.connect_directly() as sock:
        sock.sendall(handshake())
        read_until(sock, b"\r\n\r\n")
        assert not ended.wait(0.2)
        got = 0
        while not ended.is_set():
            got += len(sock.recv(65536))
        assert got > size // 2


# Calls that do not end


class Stubborn:
    """An application whose calls ignore some cancellations, and record them."""

    def __init__(self, **ignored):
        self.ignored, self.cancelled = ignored, []

    async def __call__(self, scope, receive, send):
        name = scope["path"][1:]
        await send(START)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        for _ in range(self.ignored[name] + 1):
            try:
                await forever()
            except asyncio.CancelledError:
                self.cancelled.append(name)


def leave_after(serving, path):
    """Send a request, and leave when the response has begun."""
    with serving.connect() as sock:
        sock.sendall(request(path))
        read_until(sock, b"x")


def wait_for(is_so):
    """Wait until ``is_so()``; fail after a while."""
    due = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < due
        time.sleep(0.01)


def test_calls_are_cancelled_in_the_order_of_their_times():
    """The second cancellation of a call waits twice as long as the first."""
    app = Stubborn(a=1, b=0)
    with Serving(app, timeout_disconnect=4 * SOON_S) as serving:
        leave_after(serving, "/a")
        wait_for(lambda: app.cancelled == ["a"])
        leave_after(serving, "/b")
        wait_for(lambda: len(app.cancelled) == 3)
    assert app.cancelled == ["a", "b", "a"]


def test_a_stop_does_not_cancel_a_call_again():
    app = Stubborn(a=1, b=0)
    with Serving(
        app, timeout_disconnect=4 * SOON_S, timeout_graceful_shutdown=SOON_S
    ) as serving:
        leave_after(serving, "/a")
        wait_for(lambda: app.cancelled == ["a"])
        with serving.connect() as sock:
            sock.sendall(request("/b"))
            read_until(sock, b"x")
            serving.server.should_exit = True
            wait_for(lambda: "b" in app.cancelled)
        assert app.cancelled[:2] == ["a", "b"]


@pytest.mark.parametrize("why", [SystemExit(4), KeyboardInterrupt()], ids=repr)
def test_an_exit_of_an_application_that_is_called_for_its_lifespan(why):
    def app(scope, receive, send):
        raise why

    server = bolide.Server(bolide.Config(app, lifespan="on", access_log=False))
    server.log = Record()

    async def main():
        await asyncio.wait_for(server.serve(), DEADLINE_S)

    with pytest.raises(type(why)):
        asyncio.run(main())
