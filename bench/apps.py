"""The applications that are measured: plain ASGI, and one FastAPI route."""

import asyncio
import time

HELLO = b"Hello, world!"
BIG = b"x" * (1 << 20)
CHUNK = b"y" * 4096


def serving(handle):
    """Return an application that answers lifespan and leaves the rest to ``handle``."""

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
    """Send a whole answer."""
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
async def hello(scope, receive, send):
    """Answer 13 bytes."""
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
    """Answer with the body of the request."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    await answer(send, b"".join(parts))


@serving
async def count(scope, receive, send):
    """Answer with the length of the body, and keep nothing of it."""
    total = 0
    while True:
        message = await receive()
        total += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await answer(send, b"%d" % total)


@serving
async def big(scope, receive, send):
    """Answer 1 MiB in one message."""
    await answer(send, BIG)


@serving
async def stream(scope, receive, send):
    """Answer 16 chunks of 4 KiB."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(16):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body"})


@serving
async def flood(scope, receive, send):
    """Answer 1 GiB in chunks of 1 MiB."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(1024):
        await send({"type": "http.response.body", "body": BIG, "more_body": True})
    await send({"type": "http.response.body"})


@serving
async def spin(scope, receive, send):
    """Take 5 ms of CPU, then answer."""
    end = time.thread_time() + 0.005
    while time.thread_time() < end:
        pass
    await answer(send, b"ok")


@serving
async def sleepy(scope, receive, send):
    """Give the loop a turn, then answer."""
    await asyncio.sleep(0)
    await answer(send, b"ok")


async def ws(scope, receive, send):
    """Send every message of a WebSocket back."""
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
    """Count bodies, echo short messages, and take long ones."""
    if scope["type"] != "websocket":
        return await count(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if len(message.get("bytes") or b"") < 1 << 16:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


ROOM = {}


async def room(scope, receive, send):
    """Send every message of a WebSocket to all."""
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


def fastapi():
    """Return a FastAPI application with one JSON route."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Item(BaseModel):
        id: int
        name: str
        tags: list[str]

    api = FastAPI()

    @api.get("/items/{number}")
    async def item(number: int, q: str = "x") -> Item:
        return Item(id=number, name=q, tags=["a", "b"])

    return api


def __getattr__(name):
    """Make the FastAPI application only where it is asked for."""
    if name != "fast":
        raise AttributeError(name)
    globals()["fast"] = fastapi()
    return globals()["fast"]
