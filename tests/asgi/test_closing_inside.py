"""Python code that runs within the engine and changes what the engine works with.

Covers src/py/loop.c.
"""

import asyncio
import socket
import threading

import pytest
from serving import DEADLINE_S, Record
from socketing import PING, PONG, TEXT, Received, accept, frame, talking

from bolide import _engine
from bolide.config.config import Config


def test_a_log_callable_may_close_the_server_outside_a_turn(monkeypatch):
    """A Task that the loop resumes enters the engine outside of a turn."""
    heard, go, closed = Received(), threading.Event(), threading.Event()
    servings = []

    def line(record, level, text):
        record.lines.append((level, text))
        if "not UTF-8" in text:
            servings[0].server._engine.close()
            closed.set()

    async def listens(scope, receive, send):
        await accept(receive, send)
        await asyncio.to_thread(go.wait, DEADLINE_S)
        try:
            while not heard.messages or "text" in heard.messages[-1]:
                heard.messages.append(await receive())
        finally:
            heard.ended.set()

    monkeypatch.setattr(Record, "line", line)
    # The inbox is full, so the second message is rejected when the first is received.
    with talking(listens, ws_max_queue=1) as (peer, serving):
        servings.append(serving)
        peer.sock.sendall(frame(PING) + frame(TEXT, b"one") + frame(TEXT, b"\xff"))
        assert peer.frame()[0] == PONG
        go.set()
        assert closed.wait(DEADLINE_S)
        assert [m["type"] for m in heard.wait()] == [
            "websocket.receive",
            "websocket.disconnect",
        ]


async def app(scope, receive, send):
    """Send nothing."""


def engine(application=app, **changes):
    """Return an engine server on the running loop."""
    settings = Config("app", lifespan="off").for_engine()
    settings |= {"access_log": None}
    settings |= {"log": lambda *_: None, "log_exception": lambda *_: None, **changes}
    return _engine.Server(application, asyncio.get_running_loop(), settings)


class Acts:
    """A number that calls a function when it is read."""

    def __init__(self, number, act):
        """Act like ``number``, but call ``act`` first."""
        self.number, self.act = number, act

    def __index__(self):
        """Return the number."""
        self.act()
        return self.number


def listener():
    """Return the descriptor of a listening socket."""
    return socket.create_server(("127.0.0.1", 0)).detach()


def test_a_list_of_listeners_may_change_while_it_is_read():
    async def main():
        server = engine()
        fd = listener()
        listeners = [(Acts(fd, lambda: listeners.clear()), 0), (listener(), 0)]
        server.start(listeners)
        assert listeners == []
        server.close()

    asyncio.run(main())


def test_a_listener_s_number_may_close_the_server():
    async def main():
        server = engine()
        server.start([(Acts(listener(), server.close), 0), (listener(), 0)])
        assert server.connections == 0
        with pytest.raises(RuntimeError, match="started before"):
            server.start([])

    asyncio.run(main())


def test_a_listener_s_number_may_not_start_the_server_again():
    async def main():
        server = engine()
        failures = []

        def again():
            with pytest.raises(RuntimeError, match="started before") as info:
                server.start([])
            failures.append(info.value)

        server.start([(Acts(listener(), again), 0)])
        assert len(failures) == 1
        server.close()

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [5, [1, 2], (1,), ("a", 0), None], ids=repr)
def test_an_invalid_listener_is_a_type_error_and_leaks_nothing(wrong):
    async def main():
        server = engine()
        with pytest.raises(TypeError):
            server.start([(listener(), 0), wrong])
        server.start([(listener(), 0)])
        server.close()

    asyncio.run(main())
