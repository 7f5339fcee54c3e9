"""What the soak test serves: frameworks by path, and plain ASGI for other paths."""

import asyncio
import contextlib
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.append(str(EXAMPLES))
MOUNTED, STATES = {}, {}


def mount(path, module):
    """Mount a framework's example if the framework is installed."""
    with contextlib.suppress(ImportError):
        MOUNTED[path] = __import__(module).app


mount("/fastapi", "fastapi_app")
mount("/starlette", "starlette_app")


async def answer(send, body):
    fields = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def upload(receive, send):
    """Read a body and respond with its length."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, b"%d" % length)


async def stream(receive, send):
    """Send parts slowly; most clients disconnect before the end."""
    await send({"type": "http.response.start", "status": 200})
    for _ in range(20):
        part = {"type": "http.response.body", "body": b"x" * 1000, "more_body": True}
        await send(part)
        await asyncio.sleep(0.05)
    await send({"type": "http.response.body"})


async def echo(receive, send):
    """Send each message of a WebSocket back."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


async def plain(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["path"] == "/upload":
        await upload(receive, send)
    elif scope["path"] == "/stream":
        await stream(receive, send)
    else:
        await answer(send, b"x" * 4096)


async def lifespan(receive, send):
    """Run the lifespans of all mounted applications."""
    async with contextlib.AsyncExitStack() as stack:
        await receive()
        for path, mounted in MOUNTED.items():
            context = mounted.router.lifespan_context(mounted)
            STATES[path] = await stack.enter_async_context(context) or {}
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope, receive, send):
    """Serve one call."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    for path, mounted in MOUNTED.items():
        if scope["path"].startswith(path + "/"):
            short = scope["path"][len(path) :]
            inner = {**scope, "path": short, "raw_path": short.encode()}
            inner["state"] = dict(STATES[path])
            return await mounted(inner, receive, send)
    return await plain(scope, receive, send)
