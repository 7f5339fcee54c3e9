"""Serves an application while allocations fail, one after the other; a script.

    python nomemory.py TYPE

prints its port, and ends at SIGTERM.  Each turn of the engine has one allocation fail:
the first one in the first turn, the second in the next, ...
"""

import _testcapi
import asyncio
import sys

import bolide

ALLOCATIONS = 160
KEPT = []
"""What would be used again for the next request, without an allocation."""


class Loop(asyncio.SelectorEventLoop):
    """Calls the engine's turns with little memory."""

    turns = 0

    def add_reader(self, fd, callback, *args):
        """Watch a descriptor."""
        if getattr(callback, "__name__", "") == "turn":
            callback = self.poor(callback)
        return super().add_reader(fd, callback, *args)

    def poor(self, turn):
        """Return ``turn`` with an allocation that fails."""

        def run():
            self.turns += 1
            n = self.turns % ALLOCATIONS + 1
            _testcapi.set_nomemory(n, n + 1)
            try:
                turn()
            finally:
                _testcapi.remove_mem_hooks()

        return run


async def app(scope, receive, send):
    """Answer a request, or echo a message."""
    KEPT.append((receive, send))
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"."})


async def main():
    """Serve until a signal comes."""
    sys.unraisablehook = lambda unraisable: None
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    config = bolide.Config(
        app, port=0, lifespan="off", access_log=False, timeout_graceful_shutdown=600
    )
    server = bolide.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await task


with asyncio.Runner(loop_factory=Loop) as runner:
    runner.run(main())
