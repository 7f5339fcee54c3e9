"""Group D: the application's life around its requests."""

import asyncio
import socket
import threading

import pytest
from serving import DEADLINE_S, LOOPS, Serving, answer, request

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
    """Take the startup and complete it."""
    assert (await receive()) == {"type": "lifespan.startup"}
    await send({"type": "lifespan.startup.complete"})


async def live(scope, receive, send):
    """Go through a whole life."""
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


def test_D3_nobody_is_served_before_the_startup_is_complete():
    go, begun = threading.Event(), threading.Event()

    async def handle(scope, receive, send):
        begun.set()
        await asyncio.to_thread(go.wait)
        await live(scope, receive, send)

    running = serving(handle)
    running.place = running.listener.getsockname()
    running.thread.start()
    assert begun.wait(DEADLINE_S)
    with running.connect() as sock:
        sock.sendall(request(fields=CLOSE))
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        go.set()
        sock.settimeout(DEADLINE_S)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
    running.stop()


@pytest.mark.parametrize("receives", [False, True], ids=["D4", "D5"])
def test_D4_D5_D6_D21_an_application_that_raises_is_served_without(receives):
    async def handle(scope, receive, send):
        if receives:
            await receive()
        raise RuntimeError("no lifespan here")

    with serving(handle) as running:
        assert running.ask().body == b"{}"
    assert running.log.exceptions == [] and running.log.errors() == []
    assert any("lifespan" in text for _, text in running.log.lines)


@pytest.mark.parametrize("message", [{"message": "no database"}, {}], ids=["D7", "D8"])
def test_D7_D8_a_failed_startup_serves_nobody(message):
    async def handle(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", **message})

    running = serving(handle)
    with pytest.raises(AssertionError), running:
        pass
    assert type(running.failure).__name__ == "LifespanError"
    assert message.get("message", "") in str(running.failure)
    with pytest.raises(OSError):
        running.connect()


def test_D9_an_application_that_returns_at_once_is_served():
    async def handle(scope, receive, send):
        return None

    with serving(handle) as running:
        assert running.ask().status == 200


def test_D10_an_application_that_returns_behind_its_startup_is_not_waited_for():
    async def handle(scope, receive, send):
        await begin(receive, send)

    with serving(handle) as running:
        assert running.ask().status == 200


def test_D11_the_shutdown_is_waited_for_only_so_long():
    async def handle(scope, receive, send):
        await begin(receive, send)
        await asyncio.sleep(1000)

    with serving(handle, timeout_graceful_shutdown=0.2) as running:
        assert running.ask().status == 200


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


def test_D15_a_failed_shutdown_is_logged():
    async def handle(scope, receive, send):
        await begin(receive, send)
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "no way out"})

    with serving(handle) as running:
        pass
    assert any("no way out" in text for text in running.log.errors())


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


def test_D17_an_exception_behind_the_startup_is_logged_and_the_server_goes_on():
    async def handle(scope, receive, send):
        await begin(receive, send)
        raise RuntimeError("later")

    with serving(handle) as running:
        assert running.ask().status == 200
    assert [str(e) for e in running.log.exceptions] == ["later"]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"type": "lifespan.nonsense"}, id="D18"),
        pytest.param({"type": "lifespan.startup.complete"}, id="D19"),
    ],
)
def test_D18_D19_a_wrong_message_raises_and_harms_nobody(message):
    raised = []

    async def handle(scope, receive, send):
        await begin(receive, send)
        with pytest.raises(RuntimeError) as caught:
            await send(message)
        raised.append(caught.value)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with serving(handle) as running:
        assert running.ask().status == 200
    assert len(raised) == 1


def test_D20_lifespan_on_takes_an_exception_for_a_failure():
    async def handle(scope, receive, send):
        raise RuntimeError("no lifespan here")

    running = serving(handle, lifespan="on")
    with pytest.raises(AssertionError), running:
        pass
    assert type(running.failure).__name__ == "LifespanError"


def test_D20_lifespan_off_never_calls():
    async def handle(scope, receive, send):
        raise AssertionError("never called")

    with serving(handle, lifespan="off") as running:
        assert running.ask().body == b"{}"


def test_serve_runs_inside_a_loop_and_stops_by_should_exit():
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
