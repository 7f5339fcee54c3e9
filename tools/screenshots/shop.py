"""An application with several kinds of requests, for the pictures of the documents."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Respond after a few milliseconds; /boom raises, /missing is not found."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": f"{message['type']}.complete"})
        return
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    if scope["path"] == "/boom":
        raise RuntimeError("an example of a failure")
    await asyncio.sleep(random.lognormvariate(-6.2, 0.9))
    status = 404 if scope["path"] == "/missing" else 200
    fields = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": b"x" * random.randrange(9000)})
