"""The garbage collector and waiting calls: a loop has only weak references to Tasks."""

import asyncio
import contextlib
import gc
import os
import socket
import time
import weakref

import pytest

from bolide import _engine
from bolide.config.config import Config

DEADLINE_S = 30 * int(os.environ.get("PATIENCE", "1"))
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


class Waiting:
    """A connection whose application waits for the body of its request."""

    async def begin(self, **changes):
        """Start a server and send it a head; return when the application is waiting."""
        settings = Config("app", lifespan="off").for_engine()
        settings |= {"access_log": None}
        settings |= {
            "log": lambda *_: None,
            "log_exception": lambda *_: None,
            **changes,
        }
        self.server = _engine.Server(self.app, asyncio.get_running_loop(), settings)
        await self.server.startup()
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self.server.start([(listener.detach(), 0)])
        self.waits = asyncio.Event()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(HEAD)
        await asyncio.wait_for(self.waits.wait(), DEADLINE_S)

    async def app(self, scope, receive, send):
        """Echo."""
        asyncio.get_running_loop().call_soon(self.waits.set)
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": body})


def test_the_collector_keeps_a_call_that_waits_for_its_body():
    async def main():
        waiting = Waiting()
        await waiting.begin()
        gc.collect()
        waiting.writer.write(b"body")
        answer = await asyncio.wait_for(waiting.reader.read(1000), DEADLINE_S)
        waiting.writer.close()
        waiting.server.close()
        return answer

    assert asyncio.run(main()).startswith(b"HTTP/1.1 200 OK\r\n")


# Callbacks that the server schedules in its destructor cannot run on a closed loop.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_unreferenced_server_is_collected_with_its_waiting_calls():
    loop = asyncio.new_event_loop()
    waiting = Waiting()
    gone = weakref.ref(waiting)
    loop.run_until_complete(waiting.begin())
    waiting.writer.transport.abort()
    loop.close()
    del waiting, loop
    gc.collect()
    assert gone() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_collector_does_not_wait_for_the_reader_of_the_access_log():
    """A server that is closed waits for up to two seconds."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(65536))

    async def ask(waiting):
        await waiting.begin(access_log=("stream", writer, None, "%(r)s", False))
        waiting.writer.write(b"body")
        assert await asyncio.wait_for(waiting.reader.read(1000), DEADLINE_S)

    loop = asyncio.new_event_loop()
    waiting = Waiting()
    gone = weakref.ref(waiting)
    loop.run_until_complete(ask(waiting))
    waiting.writer.transport.abort()
    loop.close()
    del waiting, loop
    before = time.monotonic()
    gc.collect()
    assert gone() is None
    assert time.monotonic() - before < 1.5
    os.close(reader)
    os.close(writer)
