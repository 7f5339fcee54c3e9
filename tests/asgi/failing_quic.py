"""Clients for failing_calls.py: of HTTP/3, and of WebTransport."""

import asyncio
import contextlib
import sys
from pathlib import Path

FOLDERS = Path(__file__).parents[1]
sys.path.extend(str(FOLDERS / name) for name in ("http2", "http3", "tls"))

from talking_wt import WtQuic, code_of  # noqa: E402

IDLE_S = 1
"""After how long a client ends a connection on which nothing arrives."""
PATIENCE_S = 0.05
"""How long a client waits for a datagram, which may be lost."""


class LoopQuic(WtQuic):
    """A connection whose client waits in the running event loop."""

    def __init__(self, place):
        super().__init__(place, idle_timeout=IDLE_S, initial_rtt=0.02)
        self.loop = asyncio.get_running_loop()
        self.arrived = asyncio.Event()
        self.loop.add_reader(self.socket, self.arrived.set)

    def is_over(self):
        """Send what is ready, and take what has arrived; return whether the connection
        has ended."""
        if self.socket.fileno() < 0:
            return True
        self.flush()
        self.receive()
        self.take()
        return self.end is not None or self.quic._close_event is not None

    async def reach(self, is_done, most_s=60):
        """Wait until ``is_done()``; return False if the connection has ended before,
        or after ``most_s``."""
        due = self.loop.time() + most_s
        while not is_done():
            over = self.is_over()
            if is_done():
                break
            if over or self.loop.time() >= due:
                return False
            wait_s = self.wait_s(max(0, due - self.loop.time()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.arrived.wait(), wait_s)
            self.arrived.clear()
        return True

    async def ended(self, *numbers):
        """Wait until streams have ended."""
        xs = [self.stream(number) for number in numbers]
        return await self.reach(lambda: all(x.ended or x.reset is not None for x in xs))

    def leave(self):
        """End the connection, if it has not been left before."""
        if self.socket.fileno() < 0:
            return
        self.loop.remove_reader(self.socket)
        self.__exit__()
        self.end = self.end or "left"


class Client3:
    """Runs ``script(quic)`` with a connection, which it keeps unless ``is_new``."""

    alpn = "h3"

    def __init__(self, script, is_new=False):
        self.script = script
        self.is_new = is_new
        self.quic = None

    async def begin(self, place):
        """Connect, unless that is what fails."""
        if self.is_new:
            return
        if self.quic is not None and self.quic.is_over():
            self.quic.leave()
            self.quic = None
        if self.quic is None:
            self.quic = LoopQuic(place)
            await self.quic.reach(lambda: self.quic.h3.received_settings is not None)

    async def __call__(self, place):
        """Return what the script returns."""
        await self.begin(place)
        quic = LoopQuic(place) if self.is_new else self.quic
        try:
            return await self.script(quic)
        finally:
            if self.is_new:
                quic.leave()


class Nobody:
    """Leaves a server of HTTP/3 alone."""

    alpn = "h3"
    begin = None

    async def __call__(self, place):
        """Return nothing."""
        return b""


def asks(*requests):
    """Return a script that sends requests, each ``(keywords, body)``, and returns the
    bodies of the responses; b"reset" for one that is reset."""

    async def script(quic):
        numbers = []
        for keywords, body in requests:
            numbers.append(quic.ask(ends=body is None, **keywords))
            if body is not None:
                quic.h3.send_data(numbers[-1], body, True)
        await quic.ended(*numbers)
        xs = [quic.streams.pop(number) for number in numbers]
        return b"".join(b"reset" if x.reset is not None else x.body for x in xs)

    return script


def session_of(act):
    """Return a script that opens a session, and calls ``act(quic, session)``."""

    async def script(quic):
        session = quic.begin("/a?b=c")
        x = session.request
        await quic.reach(lambda: x.fields is not None or x.reset is not None)
        status = x.status if x.fields else 0
        if status == 200:
            await act(quic, session)
        for cut in (quic.quic.reset_stream, quic.quic.stop_stream):
            with contextlib.suppress(Exception):  # it has ended
                cut(session.number, 0x10C)
        quic.flush()
        return b"%d" % status if status else b""

    return script


def is_over(session):
    """Return whether a session has ended."""
    return session.request.ended or session.request.reset is not None


async def arrives(quic, session, number):
    """Wait until what was sent on a stream has arrived: what is lost is not sent again
    if the stream is reset."""
    sender = quic.quic._streams[number].sender
    await quic.reach(
        lambda: sender._buffer_start == sender._buffer_stop or is_over(session)
    )


@session_of
async def talks(quic, session):
    """Use streams of both sides, and datagrams; close with a code and a reason."""
    session.datagram(b"d")
    session.open(b"hello", ends=True)
    session.open(b"one way", ends=True, is_uni=True)

    def is_done():
        streams = [x for x in quic.streams.values() if x.session == session.number]
        return is_over(session) or (
            len(streams) == 3 and all(x.ended or x.reset is not None for x in streams)
        )

    await quic.reach(is_done)
    await quic.reach(lambda: session.datagrams() or is_over(session), PATIENCE_S)
    if not is_over(session):
        session.close(7, b"bye")
        await quic.ended(session.number)


@session_of
async def cuts(quic, session):
    """Open a stream that the server cuts off, and one to cut off here."""
    first = session.open(b"unwanted")
    x = quic.stream(first)
    await quic.reach(lambda: (x.reset is not None and x.stopped) or is_over(session))
    second = session.open(b"half")
    await arrives(quic, session, second)
    quic.quic.stop_stream(second, code_of(5))
    quic.quic.reset_stream(second, code_of(77))
    await quic.ended(session.number)


@session_of
async def reads(quic, session):
    """Read one stream, and close."""
    number = session.open(b"go")
    x = quic.stream(number)
    await quic.reach(lambda: x.ended or x.reset is not None or is_over(session))
    if not is_over(session):
        session.close()
        await quic.ended(session.number)


@session_of
async def stays(quic, session):
    """Wait until the server ends the session."""
    await quic.ended(session.number)


@session_of
async def leaves(quic, session):
    """Send a stream and a datagram, and leave when they have arrived."""
    number = session.open(b"before", ends=True)
    session.datagram(b"datagram")
    await arrives(quic, session, number)
    quic.leave()
