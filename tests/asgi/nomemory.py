"""Serves an application while allocations fail, one after another; a script.

python nomemory.py TYPE

Prints its port, and ends on SIGTERM. One allocation fails in each turn of the engine:
the first one in the first turn, the second one in the second turn, and so on.
"""

import _testcapi
import asyncio
import sys

import bolide

ALLOCATIONS = 160
KEPT = []
"""Free lists, which would serve the next request without an allocation."""


class Loop(asyncio.SelectorEventLoop):
    """Runs each turn of the engine with one failing allocation."""

    turns = 0

    def add_reader(self, fd, callback, *args):
        """Watch a descriptor."""
        if getattr(callback, "__name__", "") == "turn":
            callback = self.poor(callback)
        return super().add_reader(fd, callback, *args)

    def poor(self, turn):
        """Return ``turn`` with one allocation that fails."""

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
    """Respond to a request, or echo a message."""
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
    """Serve until SIGTERM."""
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
