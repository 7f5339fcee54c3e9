"""Group D: the lifespan of the application.

Covers src/asgi/lifespan/lifespan.c.
"""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
from leaving import SOON_S, Calls, forever
from serving import (
    DEADLINE_S,
    LOOPS,
    Record,
    Serving,
    answer,
    more,
    read_all,
    read_until,
    request,
    start,
)
from socketing import handshake

import bolide

CLOSE = "Connection: close\r\n"


def with_lifespan(handle):
    """Return an application whose lifespan is ``handle(scope, receive, send)``."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return await handle(scope, receive, send)
        return await answer(send, repr(scope["state"]).encode())

    return app


async def begin(receive, send):
    """Receive lifespan.startup and complete it."""
    assert (await receive()) == {"type": "lifespan.startup"}
    await send({"type": "lifespan.startup.complete"})


async def live(scope, receive, send):
    """Complete startup and shutdown."""
    await begin(receive, send)
    assert (await receive()) == {"type": "lifespan.shutdown"}
    await send({"type": "lifespan.shutdown.complete"})


def serving(handle, lifespan="auto", **settings):
    """Return a Serving with lifespan."""
    return Serving(with_lifespan(handle), lifespan=lifespan, **settings)


@pytest.mark.parametrize("loop", LOOPS)
def test_D1_D2_D11_startup_comes_first_and_shutdown_last(loop):
    log = []

    async def handle(scope, receive, send):
        log.append((scope["type"], scope["asgi"]["spec_version"]))
        await begin(receive, send)
        log.append("started")
        assert (await receive())["type"] == "lifespan.shutdown"
        log.append("stopping")
        await asyncio.sleep(0.01)
        await send({"type": "lifespan.shutdown.complete"})
        log.append("stopped")

    with serving(handle, loop=loop) as running:
        assert running.ask().status == 200
        log.append("asked")
    assert log == [
        ("lifespan", "2.0"),
        "started",
        "asked",
        "stopping",
        "stopped",
    ]


class Unlistened(Serving):
    """Serves on a socket that is bound but not listening, as the command does."""

    def listen(self):
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        return sock


def turn(loop, times=20):
    """Let a loop in another thread run several iterations."""

    async def go_round():
        for _ in range(times):
            await asyncio.sleep(0)

    asyncio.run_coroutine_threadsafe(go_round(), loop).result(DEADLINE_S)


@pytest.mark.parametrize("kind", [Serving, Unlistened])
def test_D3_requests_wait_until_the_startup_is_complete(kind):
    go, begun, log = threading.Event(), threading.Event(), []

    async def app(scope, receive, send):
        log.append(scope["type"])
        if scope["type"] != "lifespan":
            return await answer(send)
        begun.set()
        await asyncio.to_thread(go.wait)
        log.append("complete")
        return await live(scope, receive, send)

    running = kind(app, lifespan="on")
    running.place = running.listener.getsockname()
    running.thread.start()
    assert begun.wait(DEADLINE_S)
    if kind is Unlistened:
        with pytest.raises(ConnectionRefusedError):
            running.connect()
        go.set()
        assert running.ready.wait(DEADLINE_S)
        assert running.ask().status == 200
    else:
        with running.connect() as sock:
            sock.sendall(request(fields=CLOSE))
            turn(running.loop)
            go.set()
            assert read_all(sock).startswith(b"HTTP/1.1 200 ")
    running.stop()
    assert log == ["lifespan", "complete", "http"]


@pytest.mark.parametrize("receives", [False, True], ids=["D4", "D5"])
def test_D4_D5_D6_D21_an_application_that_raises_is_served_without_lifespan(receives):
    calls = []

    async def handle(scope, receive, send):
        calls.append(scope["type"])
        if receives:
            calls.append((await receive())["type"])
        raise RuntimeError("no lifespan here")

    with serving(handle) as running:
        assert running.ask().body == b"{}"
    assert calls == ["lifespan", "lifespan.startup"][: 1 + receives]
    assert running.log.exceptions == [] and running.log.errors() == []
    said = [text for _, text in running.log.lines if "lifespan" in text]
    assert len(said) == 1 and "\n" not in said[0]


def run_and_fail(handle, lifespan="auto"):
    """Return the exit code and the log of a server that does not start."""
    sock = socket.create_server(("127.0.0.1", 0))
    place = sock.getsockname()
    config = bolide.Config(with_lifespan(handle), lifespan=lifespan, access_log=False)
    server = bolide.Server(config)
    server.log = Record()
    code = server.execute([sock])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place)
    return code, server.log


@pytest.mark.parametrize("message", [{"message": "no database"}, {}], ids=["D7", "D8"])
def test_D7_D8_a_failed_startup_ends_the_server_and_logs_why(message):
    async def handle(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", **message})

    code, log = run_and_fail(handle)
    assert code == 3
    (text,) = log.errors()
    assert message.get("message", "startup failed") in text
    assert log.exceptions == []


def test_D9_an_application_that_returns_at_once_is_served():
    async def handle(scope, receive, send):
        return None

    with serving(handle) as running:
        assert running.ask().status == 200


def test_D10_a_return_after_startup_ends_the_lifespan():
    async def handle(scope, receive, send):
        await begin(receive, send)

    with serving(handle) as running:
        assert running.ask().status == 200


def test_D11_streams_end_before_the_shutdown_begins():
    log, begun = [], threading.Event()

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await begin(receive, send)
            log.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        await start(send)
        await more(send, b"x")
        begun.set()
        log.append((await receive())["type"])
        await asyncio.sleep(0)
        log.append("cleaned up")

    running = Serving(app, lifespan="on")
    with running, running.connect() as sock:
        sock.sendall(request())
        assert begun.wait(DEADLINE_S)
        running.stop()
    assert log == ["http.disconnect", "cleaned up", "lifespan.shutdown"]


@pytest.mark.parametrize("asks", [False, True])
def test_D11_the_wait_for_the_shutdown_is_limited(asks, monkeypatch):
    monkeypatch.setattr("bolide.server.SHUTDOWN_LEAST_S", 0.1)
    ended = []

    async def handle(scope, receive, send):
        await begin(receive, send)
        try:
            if asks:
                await receive()
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with serving(handle, timeout_graceful_shutdown=0.1) as running:
        assert running.ask().status == 200
    assert ended == [True]
    assert running.log.errors() == ["the application's shutdown took over 0.1 s"]


def test_D12_D13_a_request_has_a_shallow_copy_of_the_state():
    shared = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            assert scope["state"] == {}
            scope["state"].update(name="first", shared=shared)
            return await live(scope, receive, send)
        state = scope["state"]
        state["shared"].append(state["name"])
        state["name"] = "changed"
        state["new"] = True
        return await answer(send, repr(sorted(state)).encode())

    with Serving(app, lifespan="on") as running:
        running.talk(request() + request(fields=CLOSE))
        running.ask()
    assert shared == ["first"] * 3


def test_D14_a_websocket_has_a_copy_of_the_state():
    seen = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            scope["state"]["name"] = "first"
            return await live(scope, receive, send)
        seen.append(scope["state"]["name"])
        scope["state"]["name"] = "changed"
        await receive()
        return await send({"type": "websocket.close"})

    opening = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )
    with Serving(app, lifespan="on") as running:
        for _ in range(2):
            assert running.ask("/", opening).status == 403
    assert seen == ["first", "first"]


def test_D15_a_failed_shutdown_is_logged():
    async def handle(scope, receive, send):
        await begin(receive, send)
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "cannot shut down"})

    with serving(handle) as running:
        pass
    (text,) = running.log.errors()
    assert "cannot shut down" in text


def test_D15_a_shutdown_that_raises_is_logged():
    async def handle(scope, receive, send):
        await begin(receive, send)
        await receive()
        raise RuntimeError("cannot shut down")

    with serving(handle) as running:
        pass
    assert [str(e) for e in running.log.exceptions] == ["cannot shut down"]
    assert running.log.lines[-1][1] == "stopped"


def test_D16_the_lifespan_runs_in_the_loop_that_serves():
    loops = []

    async def app(scope, receive, send):
        loops.append(asyncio.get_running_loop())
        if scope["type"] == "lifespan":
            return await live(scope, receive, send)
        return await answer(send)

    with Serving(app, lifespan="on") as running:
        running.ask()
    assert len(loops) == 2 and loops[0] is loops[1]


def test_D17_an_exception_after_startup_is_logged_and_serving_continues():
    async def handle(scope, receive, send):
        await begin(receive, send)
        raise RuntimeError("later")

    with serving(handle) as running:
        assert running.ask().status == 200
    assert [str(e) for e in running.log.exceptions] == ["later"]


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"type": "lifespan.nonsense"}, RuntimeError),
        ({"type": "http.response.start", "status": 200}, RuntimeError),
        ({"type": "lifespan.shutdown.complete"}, RuntimeError),
        ({"type": 1}, RuntimeError),
        ({}, ValueError),
        ("lifespan.startup.complete", TypeError),
    ],
    ids=["unknown", "http", "shutdown", "int", "no-type", "no-dict"],
)
def test_D18_a_wrong_message_raises_and_serving_continues(message, error, behind):
    raised = []

    async def wrong(send):
        try:
            await send(message)
        except Exception as exc:
            raised.append(type(exc))

    async def handle(scope, receive, send):
        if not behind:
            await wrong(send)
        await begin(receive, send)
        if behind:
            await wrong(send)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with serving(handle) as running:
        assert running.ask().status == 200
    assert raised == [error]
    assert running.log.errors() == [] and running.log.exceptions == []


@pytest.mark.parametrize("second", ["complete", "failed"])
def test_D19_a_second_reply_to_the_startup_raises(second):
    async def handle(scope, receive, send):
        await begin(receive, send)
        with pytest.raises(RuntimeError):
            await send({"type": f"lifespan.startup.{second}"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with serving(handle) as running:
        assert running.ask().status == 200
    assert running.log.errors() == [] and running.log.exceptions == []


@pytest.mark.parametrize("ends", ["raises", "returns"])
def test_D20_with_lifespan_on_an_end_without_a_reply_is_a_failure(ends):
    async def handle(scope, receive, send):
        if ends == "raises":
            raise RuntimeError("no lifespan here")

    code, log = run_and_fail(handle, lifespan="on")
    assert code == 3
    assert f"the application {ends[:-1]}" in log.errors()[0]
    assert [str(e) for e in log.exceptions] == ["no lifespan here"][: ends == "raises"]


class Unspeakable(RuntimeError):
    """An exception whose repr() and str() fail."""

    def __repr__(self):
        """Fail."""
        raise ValueError("it has no text")


def test_D20_an_exception_without_text_is_named_by_its_class():
    async def handle(scope, receive, send):
        raise Unspeakable("no lifespan here")

    code, log = run_and_fail(handle, lifespan="on")
    assert code == 3
    assert "the application raised Unspeakable before" in log.errors()[0]
    assert [type(e) for e in log.exceptions] == [Unspeakable]


@pytest.mark.parametrize("asks", [False, True])
def test_D4_an_exception_without_text_is_no_failure_either(asks):
    async def handle(scope, receive, send):
        if asks:
            await receive()
        raise Unspeakable("no lifespan here")

    with serving(handle) as running:
        assert running.ask().status == 200
    wanted = "raised Unspeakable before" if asks else "does not support the lifespan"
    assert [text for _, text in running.log.lines if wanted in text] != []
    assert running.log.errors() == [] and running.log.exceptions == []


def test_D15_a_shutdown_that_raises_without_text_is_logged():
    async def handle(scope, receive, send):
        await begin(receive, send)
        await receive()
        raise Unspeakable("cannot shut down")

    with serving(handle) as running:
        pass
    assert [type(e) for e in running.log.exceptions] == [Unspeakable]
    assert "shutdown raised Unspeakable" in running.log.errors()[-1]


def test_D20_with_lifespan_off_it_is_never_called():
    async def handle(scope, receive, send):
        raise AssertionError("never called")

    with serving(handle, lifespan="off") as running:
        assert running.ask().body == b"{}"


def test_serve_runs_inside_a_loop_and_stops_on_should_exit():
    async def main():
        listener = socket.create_server(("127.0.0.1", 0))
        config = bolide.Config(with_lifespan(live), access_log=False, log_level=None)
        server = bolide.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0)
        server.should_exit = True
        await asyncio.wait_for(task, DEADLINE_S)
        return asyncio.get_running_loop().is_running()

    assert asyncio.run(main())


GRACE_S = 3.0


@pytest.mark.parametrize("loop", LOOPS)
def test_D11_a_stop_ends_soon_after_the_last_client_was_notified(loop):
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.accept"})
                await forever()
            await start(send)
            await more(send, b"x")
            while scope["path"] == "/busy":
                await more(send, b"x")
                await asyncio.sleep(0.05)
            await forever()

    settings = {"timeout_disconnect": SOON_S, "timeout_graceful_shutdown": GRACE_S}
    with (
        Serving(app, loop=loop, **settings) as serving,
        contextlib.ExitStack() as stack,
    ):
        for sent in (request("/idle"), request("/busy"), handshake()):
            for _ in range(34):
                sock = stack.enter_context(serving.connect())
                sock.sendall(sent)
                read_until(sock, b"\r\n\r\n")
        assert calls.wait(lambda: calls.running == 102)
        began = time.monotonic()
        serving.server.should_exit = True
        assert calls.wait(lambda: calls.running <= 68), (
            "the calls of WebSockets end first"
        )
        assert time.monotonic() - began < GRACE_S / 2
        serving.thread.join(DEADLINE_S)
        took = time.monotonic() - began
    assert not calls.running
    assert took + 0.1 >= GRACE_S * 2 / 3
    assert took < GRACE_S * 2 / 3 + 1 + SOON_S, "notified at 2/3 of the grace"
    assert calls.ends.count("CancelledError") == 68
    assert calls.ends.count("ClientDisconnected") == 34, "the busy ones"
    assert serving.log.errors() == [] and serving.log.exceptions == []


def test_D11_background_work_has_more_time_than_notified_clients():
    calls = Calls()

    async def app(scope, receive, send):
        with calls.watch():
            await answer(send, b"x")
            await asyncio.sleep(GRACE_S * 0.75)

    settings = {"timeout_disconnect": 0.1, "timeout_graceful_shutdown": GRACE_S}
    with Serving(app, **settings) as serving:
        assert serving.ask().body == b"x"
    assert calls.ends == ["returned"]
