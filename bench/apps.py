"""The measured applications: plain ASGI, and those of frameworks.py."""

import asyncio
import time

from bodies import JSON
from frameworks import APPLICATIONS

HELLO = b"Hello, world!"
BIG = b"x" * (1 << 20)
CHUNK = b"y" * 4096
LONG_CHUNK = b"y" * 65536
EVENT = b"data: " + b"z" * 92 + b"\n\n"


def serving(handle):
    """Return an application that handles the lifespan and passes other calls to
    ``handle``.
    """

    async def app(scope, receive, send):
        if scope["type"] == "http":
            return await handle(scope, receive, send)
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return None

    return app


async def answer(send, body):
    """Send a complete response."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(body)),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


@serving
async def cached(scope, receive, send):
    """Answer as hello, for an hour."""
    fields = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"13"),
        (b"cache-control", b"max-age=3600"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": HELLO})


@serving
async def rows(scope, receive, send):
    """Respond with 20 KiB of JSON."""
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(JSON)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": JSON})


@serving
async def hello(scope, receive, send):
    """Respond with 13 bytes."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"13"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": HELLO})


@serving
async def echo(scope, receive, send):
    """Respond with the body of the request."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    await answer(send, b"".join(parts))


@serving
async def count(scope, receive, send):
    """Respond with the length of the body, without storing it."""
    total = 0
    while True:
        message = await receive()
        total += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await answer(send, b"%d" % total)


@serving
async def big(scope, receive, send):
    """Respond with 1 MiB in one message."""
    await answer(send, BIG)


@serving
async def huge(scope, receive, send):
    """Respond with 100 MiB in messages of 1 MiB."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(100):
        await send({"type": "http.response.body", "body": BIG, "more_body": True})
    await send({"type": "http.response.body"})


@serving
async def stream(scope, receive, send):
    """Respond with 16 chunks of 4 KiB."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(16):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body"})


@serving
async def stream64k(scope, receive, send):
    """Respond with 16 chunks of 64 KiB."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(16):
        await send(
            {"type": "http.response.body", "body": LONG_CHUNK, "more_body": True}
        )
    await send({"type": "http.response.body"})


@serving
async def events(scope, receive, send):
    """Send an event of 100 bytes every second."""
    fields = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    while True:
        await send({"type": "http.response.body", "body": EVENT, "more_body": True})
        await asyncio.sleep(1)


@serving
async def flood(scope, receive, send):
    """Respond with 1 GiB in chunks of 1 MiB."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(1024):
        await send({"type": "http.response.body", "body": BIG, "more_body": True})
    await send({"type": "http.response.body"})


@serving
async def spin(scope, receive, send):
    """Use 5 ms of CPU, then respond."""
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        pass
    await answer(send, b"ok")


@serving
async def sleepy(scope, receive, send):
    """Let the loop turn once, then respond."""
    await asyncio.sleep(0)
    await answer(send, b"ok")


@serving
async def sleep10(scope, receive, send):
    """Respond after 10 ms."""
    await asyncio.sleep(0.01)
    await answer(send, b"ok")


async def ws(scope, receive, send):
    """Echo every message of a WebSocket."""
    if scope["type"] != "websocket":
        await answer(send, b"")
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if (data := message.get("bytes")) is not None:
            await send({"type": "websocket.send", "bytes": data})
        else:
            await send({"type": "websocket.send", "text": message["text"]})


async def greedy(scope, receive, send):
    """Count bodies, echo short messages, and receive long ones."""
    if scope["type"] != "websocket":
        return await count(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if len(message.get("bytes") or b"") < 1 << 16:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


ROOM = {}


async def room(scope, receive, send):
    """Send every message of a WebSocket to all WebSockets."""
    if scope["type"] != "websocket":
        await answer(send, b"")
        return
    await receive()
    await send({"type": "websocket.accept"})
    ROOM[id(send)] = send
    while (message := await receive())["type"] == "websocket.receive":
        told = {"type": "websocket.send", "bytes": message["bytes"]}
        for each in list(ROOM.values()):
            try:
                await each(told)
            except Exception:  # each server has its own
                ROOM.pop(id(each), None)
    ROOM.pop(id(send), None)


def __getattr__(name):
    """Create an application of a framework only when it is used."""
    if name not in APPLICATIONS:
        raise AttributeError(name)
    globals()[name] = APPLICATIONS[name]()
    return globals()[name]
