"""Applications for failing_calls.py: of HTTP, of WebSockets, and of the lifespan."""

import asyncio
import contextlib


async def start(send, *headers, **more):
    """Send the start of a response."""
    head = {"type": "http.response.start", "status": 200, "headers": headers}
    await send(head | more)


async def body(send, data, more=False):
    """Send a part of a body."""
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def read(receive):
    """Return the whole body, or the name of the message that ended it."""
    data = b""
    while (message := await receive())["type"] == "http.request":
        data += message["body"]
        if not message["more_body"]:
            break
    return data


async def hello(scope, receive, send):
    """Respond with a single body message."""
    scope["headers"], scope["client"], scope["path"]
    await start(send, (b"content-type", b"text/plain"), (b"content-length", b"5"))
    await body(send, b"hello")


async def expires(scope, receive, send):
    """Respond with a body that can be stored."""
    await start(send, (b"cache-control", b"max-age=60"), (b"vary", b"accept"))
    await body(send, b"hello")


async def validates(scope, receive, send):
    """Respond with a body, or confirm the one that is stored."""
    fields = dict(scope["headers"])
    fresh = b"if-none-match" in fields
    head = {"type": "http.response.start", "status": 304 if fresh else 200}
    fields = [(b"etag", b'"1"'), (b"cache-control", b"no-cache")]
    await send(head | {"headers": fields})
    await body(send, b"" if fresh else b"hello")


async def stream(scope, receive, send):
    """Respond with several body messages, some of them large."""
    await start(send, (b"content-type", b"text/plain"))
    for size in (1, 5000, 200_000, 3):
        await body(send, b"x" * size, more=True)
        await asyncio.sleep(0)
    await body(send, b"")


async def echo(scope, receive, send):
    """Respond with the request body."""
    data = await read(receive)
    await start(send)
    await body(send, data)


async def fails(scope, receive, send):
    """Raise in the middle of the response."""
    await start(send)
    await body(send, b"x", more=True)
    raise RuntimeError("on purpose")


async def raises(scope, receive, send):
    """Raise before the response has started."""
    raise RuntimeError("on purpose")


async def returns(scope, receive, send):
    """Return without a complete response."""


async def wrong(scope, receive, send):
    """Send messages that are not allowed."""
    for message in (
        {"type": "http.response.body", "body": b""},
        {"type": "http.response.start", "status": "200"},
        {"type": "http.response.start", "status": 200, "headers": [(b"a b", b"")]},
        {"type": "nothing"},
        7,
    ):
        with contextlib.suppress(Exception):
            await send(message)
    await start(send)
    await body(send, b"hello")


async def waits(scope, receive, send):
    """Wait for the client to disconnect, in this Task and in a second one."""
    await start(send)
    await body(send, b"x", more=True)
    task = asyncio.create_task(receive())
    await receive()
    await task
    with contextlib.suppress(OSError):
        await body(send, b"x", more=True)


async def sends_file(scope, receive, send):
    """Send files by descriptor and by path."""
    await start(send)
    with open(__file__, "rb") as file:
        message = {"type": "http.response.zerocopysend", "file": file, "count": 100}
        await send(message | {"more_body": True})
    await body(send, b"")


async def sends_path(scope, receive, send):
    """Send a file by its path."""
    await start(send)
    await send({"type": "http.response.pathsend", "path": __file__})


async def trailers(scope, receive, send):
    """Send an interim response, a body and trailers."""
    if "http.response.early_hint" in scope["extensions"]:
        await send({"type": "http.response.early_hint", "links": [b"</a>"]})
    await start(send, trailers=True)
    await body(send, b"x")
    fields = [(b"x-sum", b"1")]
    await send({"type": "http.response.trailers", "headers": fields})


async def websocket(scope, receive, send):
    """Accept, then echo each message."""
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-a", b"b")]})
    while (message := await receive())["type"] == "websocket.receive":
        await send(message | {"type": "websocket.send"})


async def websocket_closes(scope, receive, send):
    """Accept, send and close."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][0]})
    await send({"type": "websocket.send", "bytes": b"x" * 100_000})
    await send({"type": "websocket.close", "code": 3000, "reason": "why"})


async def websocket_refuses(scope, receive, send):
    """Deny the handshake with an HTTP response."""
    await receive()
    head = {"type": "websocket.http.response.start", "status": 401}
    await send(head | {"headers": [(b"a", b"b")]})
    await send({"type": "websocket.http.response.body", "body": b"no"})


async def websocket_returns(scope, receive, send):
    """Accept, then raise."""
    await receive()
    await send({"type": "websocket.accept"})
    raise RuntimeError("on purpose")


async def lifespan(scope, receive, send):
    """Complete startup and shutdown."""
    if scope["type"] != "lifespan":
        scope["state"]["a"]
        return await hello(scope, receive, send)
    await receive()
    scope["state"]["a"] = 1
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def lifespan_fails(scope, receive, send):
    """Report that the startup has failed."""
    await receive()
    message = {"type": "lifespan.startup.failed", "message": "on purpose"}
    await send(message)


async def lifespan_raises(scope, receive, send):
    """Raise, if it is the lifespan: it is then not supported."""
    if scope["type"] != "lifespan":
        return await hello(scope, receive, send)
    raise RuntimeError("on purpose")


async def lifespan_returns(scope, receive, send):
    """Send wrong messages in the startup, complete it, and return."""
    if scope["type"] != "lifespan":
        return await hello(scope, receive, send)
    for message in ({"type": "nothing"}, {}, 7, {"type": "lifespan.shutdown.complete"}):
        with contextlib.suppress(Exception):
            await send(message)
    task = asyncio.create_task(receive())
    with contextlib.suppress(Exception):
        await receive()
    task.cancel()
    await send({"type": "lifespan.startup.complete"})
