"""Awaitables that an application drives by hand, keeps or drops, and odd event loops.

Covers src/asgi/pending_receive.c, src/asgi/waiter.c, src/asgi/raise.c and
src/asgi/bridge.c.
"""

import asyncio
import contextlib
import gc
import os
import socket
import threading
import weakref

import pytest
from serving import DEADLINE_S, Record, Serving, read_answer, request

import bolide

POST = request(fields="Content-Length: 2\r\n", method="POST")


async def respond(send, body=b"done", headers=()):
    """Send a whole response."""
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def talk(app, *sent):
    """Return the response of an application to what is sent, part by part."""
    with Serving(app) as serving, serving.connect() as sock:
        for part in sent:
            sock.sendall(part)
        got = read_answer(sock)
        return got, serving


def test_receive_takes_no_arguments():
    async def app(scope, receive, send):
        with pytest.raises(TypeError, match="no arguments"):
            receive(1)
        with pytest.raises(TypeError, match="no arguments"):
            receive(message=None)
        await respond(send)

    assert talk(app, request())[0].body == b"done"


def test_a_receive_is_awaited_once():
    async def app(scope, receive, send):
        wait = receive()
        message = await wait
        assert message["type"] == "http.request"
        with pytest.raises(RuntimeError, match="twice"):
            await wait
        await respond(send)

    assert talk(app, request())[0].body == b"done"


def test_a_message_that_has_come_is_the_value_of_the_first_step():
    async def app(scope, receive, send):
        with pytest.raises(StopIteration) as info:
            next(receive().__await__())
        await respond(send, info.value.value["body"])

    assert talk(app, POST + b"hi")[0].body == b"hi"


def test_a_receive_that_waits_may_be_dropped():
    waits = threading.Event()

    async def app(scope, receive, send):
        dropped = receive()
        waiter = dropped.send(None)
        assert not waiter.done()
        del dropped
        waits.set()
        message = await receive()
        await respond(send, message["body"])

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(POST)
        assert waits.wait(DEADLINE_S)
        sock.sendall(b"hi")
        assert read_answer(sock).body == b"hi"


def test_a_cycle_through_a_receive_is_collected():
    class Holder:
        pass

    gone = threading.Event()

    async def app(scope, receive, send):
        holder = Holder()
        holder.wait = receive()
        waiter = holder.wait.send(None)
        waiter.add_done_callback(holder.__class__.mro)
        holder.self = holder
        weakref.finalize(holder, gone.set)
        del holder, waiter
        gc.collect()
        await respond(send)

    assert talk(app, POST)[0].body == b"done"
    assert gone.wait(DEADLINE_S)


def test_a_wait_that_nobody_follows_ends_with_the_exchange():
    received, waits, ended = [], threading.Event(), threading.Event()

    async def app(scope, receive, send):
        wait = receive()
        waiter = wait.send(None)
        waits.set()
        while not waiter.done():
            await asyncio.sleep(0.001)
        with pytest.raises(StopIteration):
            next(waiter)
        with pytest.raises(StopIteration) as info:
            wait.send(None)
        received.append(info.value.value["type"])
        ended.set()

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(POST)
        assert waits.wait(DEADLINE_S)
    assert ended.wait(DEADLINE_S)
    assert received == ["http.disconnect"]


def test_a_callback_without_a_context_is_called_by_the_loop():
    called, waits = threading.Event(), threading.Event()

    async def app(scope, receive, send):
        wait = receive()
        wait.send(None).add_done_callback(lambda waiter: called.set())
        waits.set()
        message = await receive()
        await respond(send, message["body"])

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(POST)
        assert waits.wait(DEADLINE_S)
        sock.sendall(b"hi")
        assert read_answer(sock).body == b"hi"
        assert called.wait(DEADLINE_S)


def test_a_file_without_a_position_is_an_error(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)

    async def app(scope, receive, send):
        fd = os.open(path, os.O_PATH)
        try:
            await send({"type": "http.response.start", "status": 200})
            with pytest.raises(OSError, match="Bad file descriptor"):
                await send({"type": "http.response.zerocopysend", "file": fd})
        finally:
            os.close(fd)
        await send({"type": "http.response.body", "body": b"done"})

    with Serving(app, pathsend=True) as serving, serving.connect() as sock:
        sock.sendall(request())
        assert read_answer(sock).body == b"done"


# Event loops


class WithoutFactories(asyncio.SelectorEventLoop):
    """A loop that knows no task factories, as AbstractEventLoop does."""

    def get_task_factory(self):
        """Raise as AbstractEventLoop does."""
        raise NotImplementedError


async def serve_once(app, listener):
    """Serve one request on the running loop; return its response."""
    server = bolide.Server(bolide.Config(app, lifespan="off", access_log=False))
    server.log = Record()
    place = listener.getsockname()
    task = asyncio.create_task(server.serve([listener]))
    while not server.started and not task.done():
        await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection(*place)
    writer.write(request(fields="Connection: close\r\n"))
    got = await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()
    server.should_exit = True
    await asyncio.wait_for(task, DEADLINE_S)
    return got


def serve_on(loop, tasks=()):
    """Serve one request on a new loop; the response says whether its Task is known."""

    async def app(scope, receive, send):
        await asyncio.sleep(0)
        is_known = asyncio.current_task() in tasks
        await respond(send, b"known" if is_known else b"unknown")

    listener = socket.create_server(("127.0.0.1", 0))
    with contextlib.closing(loop), listener:
        return loop.run_until_complete(serve_once(app, listener))


def test_the_task_factory_of_the_loop_makes_the_tasks():
    made = []

    def factory(loop, coro, **more):
        made.append(asyncio.Task(coro, loop=loop, **more))
        return made[-1]

    loop = asyncio.new_event_loop()
    loop.set_task_factory(factory)
    assert serve_on(loop, made).endswith(b"\r\n\r\nknown")


def test_a_loop_may_have_no_task_factories():
    assert b" 200 OK" in serve_on(WithoutFactories())


@pytest.mark.parametrize("why", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_an_exit_in_a_task_of_the_application_ends_the_server(why):
    waits = asyncio.Event()

    async def child(receive):
        waits.set()
        await receive()
        raise why

    async def app(scope, receive, send):
        await asyncio.create_task(child(receive))

    async def main():
        listener = socket.create_server(("127.0.0.1", 0))
        place = listener.getsockname()
        server = bolide.Server(bolide.Config(app, lifespan="off", access_log=False))
        server.log = Record()
        task = asyncio.create_task(server.serve([listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0)
        _reader, writer = await asyncio.open_connection(*place)
        writer.write(POST)
        await waits.wait()
        writer.write(b"hi")
        await asyncio.wait_for(task, DEADLINE_S)

    with pytest.raises(type(why)):
        asyncio.run(main())
