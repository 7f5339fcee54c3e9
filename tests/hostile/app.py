"""The application used by hostile clients and by the well-behaved one."""

import asyncio

PAGE = b"x" * 4096
PIECE = b"y" * 65536
PIECES = 1600
"""100 MiB."""

PLAIN = [(b"content-type", b"text/plain")]
SUBSCRIBERS = set()


async def start(send, length=None):
    fields = list(PLAIN)
    if length is not None:
        fields.append((b"content-length", b"%d" % length))
    await send({"type": "http.response.start", "status": 200, "headers": fields})


async def page(scope, receive, send):
    """Respond with 4 KiB."""
    await start(send, len(PAGE))
    await send({"type": "http.response.body", "body": PAGE})


async def upload(scope, receive, send):
    """Read the whole body and respond with its length."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"%d" % length
    await start(send, len(body))
    await send({"type": "http.response.body", "body": body})


async def big(scope, receive, send):
    """Respond with 100 MiB in parts."""
    await start(send, len(PIECE) * PIECES)
    for n in range(PIECES):
        more = n < PIECES - 1
        await send({"type": "http.response.body", "body": PIECE, "more_body": more})


async def slow(scope, receive, send):
    """Respond after a while."""
    await asyncio.sleep(0.2)
    await page(scope, receive, send)


async def echo(scope, receive, send):
    """Send each message back."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


async def sink(scope, receive, send):
    """Receive messages and discard them."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        pass


async def subscribe(scope, receive, send):
    """Send a broadcast, 64 KiB 40 times a second, to each of the subscribers.

    Each subscriber has a task and a queue of four messages, as in broadcasting
    libraries; messages that do not fit into the queue are dropped.
    """
    await receive()
    await send({"type": "websocket.accept"})
    queue = asyncio.Queue(4)
    SUBSCRIBERS.add(queue)
    if len(SUBSCRIBERS) == 1:
        subscribe.task = asyncio.create_task(broadcast())
    try:
        while True:
            await send({"type": "websocket.send", "bytes": await queue.get()})
    finally:
        SUBSCRIBERS.discard(queue)


async def broadcast():
    """Send to all subscribers as long as there are any."""
    while SUBSCRIBERS:
        for queue in SUBSCRIBERS:
            if not queue.full():
                queue.put_nowait(PIECE)
        await asyncio.sleep(0.025)


PATHS = {"/upload": upload, "/big": big, "/slow": slow}
SOCKETS = {"/echo": echo, "/sink": sink, "/subscribe": subscribe}


async def app(scope, receive, send):
    """Serve one request."""
    if scope["type"] == "http":
        await PATHS.get(scope["path"], page)(scope, receive, send)
    elif scope["type"] == "websocket":
        await SOCKETS[scope["path"]](scope, receive, send)
