"""Applications for failing_calls.py: of sessions of WebTransport.

None handles a MemoryError, so that the call ends with it; those of which a session may
end at any time handle ``OSError``.
"""

import asyncio
import contextlib

DISCONNECT = "webtransport.disconnect"
DATAGRAM = {"type": "webtransport.datagram.send", "data": b"d"}


def of_stream(kind, stream, **more):
    """Return a message about a stream."""
    return {"type": f"webtransport.stream.{kind}", "stream": stream, **more}


async def accept(receive, send):
    """Accept the session."""
    await receive()
    await send({"type": "webtransport.accept", "headers": [(b"x-a", b"b")]})


async def drain(receive):
    """Receive until the session ends."""
    while (await receive())["type"] != DISCONNECT:
        pass


async def echoes(scope, receive, send):
    """Send back what arrives, and send on two streams that are opened here."""
    await accept(receive, send)
    for is_bidi in (True, False):
        await send({"type": "webtransport.stream.open", "bidirectional": is_bidi})
    while (message := await receive())["type"] != DISCONNECT:
        if message["type"] == "webtransport.datagram.receive":
            await send({**DATAGRAM, "data": message["data"]})
        elif message["type"] == "webtransport.stream.opened":
            if message["stream"] % 2 == 1:
                data = {"data": b"from the server", "end_stream": True}
                await send(of_stream("send", message["stream"], **data))
        elif message["stream"] % 4 == 0:
            data = {"data": message["data"], "end_stream": not message["more_data"]}
            await send(of_stream("send", message["stream"], **data))


async def cuts(scope, receive, send):
    """Pause, resume, reset and stop the first stream, until the client resets the
    second one; then close the session."""
    await accept(receive, send)
    first = (await receive())["stream"]
    for kind in ("pause", "resume", "reset", "stop"):
        await send(of_stream(kind, first))
    with contextlib.suppress(OSError):  # it is stopped, or the client has left
        while (message := await receive())["type"] != "webtransport.stream.reset":
            if message["type"] == DISCONNECT:
                return
        for _ in range(3):
            await send(of_stream("send", message["stream"], data=b"x"))
    with contextlib.suppress(OSError):
        await send({"type": "webtransport.close", "code": 7, "reason": "why"})
    await drain(receive)


async def fills(scope, receive, send):
    """Send more than is queued, of a stream and of datagrams."""
    await accept(receive, send)
    stream = (await receive())["stream"]
    with contextlib.suppress(OSError):
        for _ in range(3):
            await send(DATAGRAM)
        await send(of_stream("send", stream, data=b"x" * 70_000, end_stream=True))
    await drain(receive)


async def refuses(scope, receive, send):
    """Reject the session."""
    await receive()
    await send({"type": "webtransport.close", "code": 401})


async def returns(scope, receive, send):
    """Accept, and return."""
    await accept(receive, send)


async def raises(scope, receive, send):
    """Accept, and raise when the client knows."""
    await accept(receive, send)
    await receive()
    raise RuntimeError("on purpose")


async def returns_early(scope, receive, send):
    """Return without accepting."""


async def raises_early(scope, receive, send):
    """Raise without accepting."""
    raise RuntimeError("on purpose")


async def wrong(scope, receive, send):
    """Send messages that are not allowed, before and after accepting."""
    open_stream = {"type": "webtransport.stream.open"}
    for message in (
        open_stream,
        {"type": "webtransport.accept", "headers": [(b"a b", b"")]},
        {},
    ):
        with contextlib.suppress(Exception):
            await send(message)
    await accept(receive, send)
    for message in (
        {"type": "nothing"},
        {"type": "webtransport.accept"},
        of_stream("send", -1, data=b""),
        of_stream("send", "4", data=b""),
        of_stream("send", 2**70, data=b""),
        of_stream("send", 400, data=b"x"),
        of_stream("send", 4, data="text"),
        of_stream("reset", 4, code=2**32),
        {**DATAGRAM, "data": 5},
        {"type": "webtransport.close", "reason": 5},
        {"type": "webtransport.close", "reason": "x" * 1025},
    ):
        with contextlib.suppress(Exception):
            await send(message)
    await send({"type": "webtransport.close", "code": 1})


async def waits(scope, receive, send):
    """Wait for the end of the session in two Tasks."""
    await accept(receive, send)
    task = asyncio.create_task(receive())
    await receive()
    await task


async def is_late(scope, receive, send):
    """Receive only after the session has ended."""
    await accept(receive, send)
    with contextlib.suppress(OSError):
        while True:
            await send(of_stream("pause", 400))
            await asyncio.sleep(0.001)
    await drain(receive)
