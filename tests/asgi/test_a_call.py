"""Group A: the call of the application, its scope, its Task and its context.

Covers src/asgi/app.c, src/asgi/call.c, src/asgi/callable.c, src/asgi/done.c,
src/asgi/running.c and src/asgi/bridge.c.
"""

import asyncio
import contextvars
import gc
import threading
import warnings

import pytest
from serving import (
    DEADLINE_S,
    LOOPS,
    Serving,
    answer,
    read_all,
    read_body,
    request,
    scope_of,
)

CLOSE = "Connection: close\r\n"
PLAIN = request(fields=CLOSE)


def test_A1_each_request_is_one_call_with_its_own_scope():
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await answer(send, scope["raw_path"])

    with Serving(app) as serving:
        data = serving.talk(request("/1") + request("/2") + request("/3", CLOSE))
    assert [x[:2] for x in data.split(b"\r\n\r\n")[1:]] == [b"/1", b"/2", b"/3"]
    assert [s["path"] for s in scopes] == ["/1", "/2", "/3"]
    assert len({id(s) for s in scopes}) == 3


def test_A2_a_scope_is_a_dict_with_a_type():
    scope = scope_of(PLAIN)
    assert type(scope) is dict
    assert scope["type"] == "http"


def test_A3_the_scope_names_the_versions():
    assert scope_of(PLAIN)["asgi"] == {"version": "3.0", "spec_version": "2.5"}


def test_A4_changes_to_a_scope_do_not_reach_the_next_request():
    seen = []

    async def app(scope, receive, send):
        seen.append((dict(scope["asgi"]), dict(scope["extensions"]), set(scope)))
        seen[-1] += (list(scope["headers"]),)
        scope["asgi"]["version"] = "changed"
        scope["extensions"]["mine"] = {}
        scope["headers"].append((b"mine", b""))
        scope["mine"] = 1
        await answer(send)

    with Serving(app) as serving:
        serving.talk(request() + request(fields=CLOSE))
    (asgi, extensions, keys, headers), later = seen
    assert (asgi, extensions, keys) == later[:3]
    assert headers == [(b"host", b"a")]
    assert later[3][:1] == headers and (b"mine", b"") not in later[3]


def test_A5_an_object_with_an_async_call_method_is_an_application():
    class App:
        async def __call__(self, scope, receive, send):
            await answer(send, b"object")

    with Serving(App()) as serving:
        assert serving.ask().body == b"object"


def test_A6_a_function_that_returns_an_awaitable_is_an_application():
    async def serve(send):
        await answer(send, b"later")

    class Awaitable:
        def __init__(self, send):
            self.send = send

        def __await__(self):
            return serve(self.send).__await__()

    with Serving(lambda scope, receive, send: Awaitable(send)) as serving:
        assert serving.ask().body == b"later"
    with Serving(lambda scope, receive, send: serve(send)) as serving:
        assert serving.ask().body == b"later"


def test_A7_an_application_in_c_is_served():
    module = pytest.importorskip("c_app")
    with Serving(module.app) as serving:
        assert serving.ask().status == 200


def test_A8_a_double_callable_is_served():
    def app(scope):
        async def instance(receive, send):
            await answer(send, b"two")

        return instance

    with Serving(app) as serving:
        assert serving.ask().body in (b"two", b"Internal Server Error\n")
        assert serving.ask().status in (200, 500)


def test_A9_receive_and_send_return_awaitables_and_send_gives_none():
    seen = []

    async def app(scope, receive, send):
        seen.append(hasattr(receive(), "__await__"))
        start = {"type": "http.response.start", "status": 200}
        seen.append(await send(start))
        for wrong in ((), (start, start)):
            with pytest.raises(TypeError):
                await send(*wrong)
        await send({"type": "http.response.body"})

    with Serving(app) as serving:
        assert serving.ask().status == 200
    assert seen == [True, None]


def test_A10_a_receive_that_is_not_awaited_consumes_nothing():
    async def app(scope, receive, send):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(3):
                receive()
            gc.collect()
        await answer(send, await read_body(receive))

    with Serving(app) as serving:
        assert serving.ask(method="POST", body=b"all of it").body == b"all of it"


def test_A11_sends_that_are_awaited_later_keep_their_order():
    async def app(scope, receive, send):
        sends = [
            send({"type": "http.response.start", "status": 200}),
            send({"type": "http.response.body", "body": b"1", "more_body": True}),
            send({"type": "http.response.body", "body": b"2"}),
        ]
        for one in sends:
            await one

    with Serving(app) as serving:
        assert serving.ask().body == b"12"


@pytest.mark.parametrize("loop", LOOPS)
def test_A12_a_call_runs_in_a_task(loop):
    seen = []

    async def app(scope, receive, send):
        before = asyncio.current_task()
        async with asyncio.timeout(10):
            body = await asyncio.shield(read_body(receive))
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        await answer(send, body)
        seen.append(isinstance(before, asyncio.Task))
        seen.append(before is asyncio.current_task())
        seen.append(asyncio.get_running_loop() is before.get_loop())

    with Serving(app, loop=loop) as serving:
        assert serving.ask(method="POST", body=b"x").body == b"x"
    assert seen == [True, True, True]


def test_A12_a_timeout_interrupts_a_pending_receive():
    async def app(scope, receive, send):
        await receive()
        try:
            async with asyncio.timeout(0.01):
                await receive()
        except TimeoutError:
            await answer(send, b"in time")

    with Serving(app) as serving:
        assert serving.ask().body == b"in time"


def test_A13_each_request_has_its_own_context():
    variable = contextvars.ContextVar("variable", default="at first")

    async def app(scope, receive, send):
        seen = variable.get()
        variable.set("by a request")
        await answer(send, seen.encode())

    variable.set("before the start")
    with Serving(app) as serving:
        bodies = [serving.ask().body for _ in range(3)]
    assert set(bodies) <= {b"at first", b"before the start"}
    assert len(set(bodies)) == 1


def test_A14_cancelling_a_receive_loses_nothing():
    cancelled = threading.Event()

    async def app(scope, receive, send):
        task = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            cancelled.set()
        await answer(send, await read_body(receive))

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request(method="POST", body=b"12345", fields=CLOSE)[:-5])
        assert cancelled.wait(DEADLINE_S)
        sock.sendall(b"12345")
        assert read_all(sock).endswith(b"\r\n\r\n12345")


def test_A15_a_stop_cancels_calls_which_may_clean_up():
    runs = threading.Event()
    seen = []

    async def app(scope, receive, send):
        runs.set()
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    with (
        Serving(app, timeout_graceful_shutdown=0.3) as serving,
        serving.connect() as sock,
    ):
        sock.sendall(request())
        assert runs.wait(DEADLINE_S)
        serving.stop()
    assert seen == ["cancelled", "cleaned up"]


@pytest.mark.parametrize("loop", LOOPS)
def test_A16_a_client_that_disconnects_is_not_an_error_of_the_loop(loop):
    called, gone = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        await receive()
        called.set()
        assert (await receive())["type"] == "http.disconnect"
        gone.set()

    with Serving(app, loop=loop) as serving:
        with serving.connect() as sock:
            sock.sendall(request())
            assert called.wait(DEADLINE_S)
        assert gone.wait(DEADLINE_S)
    assert serving.loop_errors == []
    assert serving.log.errors() == [] and serving.log.exceptions == []
