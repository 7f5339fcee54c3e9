"""An exception that was set before the engine is called is only reported.

When memory runs out, CPython runs a Task's step although a call before it has failed.
Covers raise_report_stray() of src/asgi/raise.h, in each function that may be the first
call of a step.
"""

import asyncio
import sys
import threading

import pytest
from serving import DEADLINE_S, Serving, read_answer, request
from socketing import TEXT, talking

probe = pytest.importorskip("awaitable_probe")


class Step:
    """Awaits a coroutine; each step after the first finds an exception."""

    def __init__(self, coroutine):
        self.coroutine = coroutine

    def __await__(self):
        """Yield what the coroutine yields."""
        got = self.coroutine.send(None)
        while got is not None and not isinstance(got, dict):
            yield got
            got = probe.send_with(MemoryError("step"), self.coroutine)
        return got


@pytest.fixture
def reported(monkeypatch):
    """Collect what is given to sys.unraisablehook."""
    seen = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda what: seen.append(str(what.exc_value))
    )
    return seen


def test_receive_and_send_of_a_request(reported):
    waits = threading.Event()

    async def app(scope, receive, send):
        coroutine = probe.call_with(MemoryError("receive"), receive)
        message = probe.send_with(MemoryError("awaited"), coroutine)
        assert message["body"] == b"a"
        asyncio.get_running_loop().call_soon(waits.set)
        message = await Step(receive())
        head = {"type": "http.response.start", "status": 200}
        await probe.call_with(MemoryError("head"), send, head)
        body = {"type": "http.response.body", "body": message["body"]}
        await probe.call_with(MemoryError("body"), send, body)

    with Serving(app) as serving, serving.connect() as sock:
        sock.sendall(request(method="POST", fields="Content-Length: 2\r\n") + b"a")
        assert waits.wait(DEADLINE_S)
        sock.sendall(b"b")
        assert read_answer(sock).body == b"b"
    assert serving.log.exceptions == []
    assert reported == ["receive", "awaited", "step", "head", "body"]


def test_a_send_that_waits(reported):
    size = 8 << 20

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        body = {"type": "http.response.body", "body": bytes(size), "more_body": True}
        await Step(send(body))
        await send({"type": "http.response.body"})

    with Serving(app) as serving:
        assert len(serving.ask().body) == size
    assert serving.log.exceptions == []
    assert reported == ["step"]


def test_receive_and_send_of_a_websocket(reported):
    async def app(scope, receive, send):
        coroutine = probe.call_with(MemoryError("receive"), receive)
        assert probe.send_with(MemoryError("awaited"), coroutine)
        accept = {"type": "websocket.accept"}
        await probe.call_with(MemoryError("accept"), send, accept)
        message = await Step(receive())
        message["type"] = "websocket.send"
        await probe.call_with(MemoryError("send"), send, message)

    with talking(app) as (peer, serving):
        peer.send(TEXT, b"hello")
        assert peer.frame() == (TEXT, b"hello")
    assert serving.log.exceptions == []
    assert reported == ["receive", "awaited", "accept", "step", "send"]


def test_receive_and_send_of_a_lifespan(reported):
    async def app(scope, receive, send):
        for event in ("startup", "shutdown"):
            await probe.call_with(MemoryError(f"receive {event}"), receive)
            message = {"type": f"lifespan.{event}.complete"}
            await probe.call_with(MemoryError(f"send {event}"), send, message)

    with Serving(app, lifespan="on"):
        assert reported == ["receive startup", "send startup", "receive shutdown"]
    assert reported[3:] == ["send shutdown"]
