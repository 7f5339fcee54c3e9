"""A client of WebTransport for tests, by aioquic, and applications for it."""

import asyncio
import threading

from aioquic.h3.events import DatagramReceived, WebTransportStreamDataReceived
from aioquic.quic.events import StreamDataReceived
from quic_client import Connection
from talking_h3 import Quic, Served, encode_uint_var

CLOSE = 0x2843
DRAIN = 0x78AE

GONE = 0x170D7B68
REJECTED = 0x3994BD84
MESSAGE_ERROR = 0x10E
REQUEST_CANCELLED = 0x10C
ID_ERROR = 0x108
FRAME_ERROR = 0x106
DATAGRAM_ERROR = 0x33


class WtServed(Served):
    """Serves ``app`` with WebTransport within its block."""

    def __init__(self, app, pair, **settings):
        super().__init__(app, pair, webtransport=True, **settings)


def capsule(kind, value):
    """Return a capsule."""
    return encode_uint_var(kind) + encode_uint_var(len(value)) + value


def code_of(code):
    """Return the error code of HTTP/3 for one of an application."""
    return 0x52E4A40FA8DB + code + code // 0x1E


class WtConnection(Connection):
    """Knows that what a server sends on our streams has no header; aioquic does not."""

    def __init__(self, quic):
        super().__init__(quic, enable_webtransport=True)
        self.own = {}

    def handle_event(self, event):
        """Return the data of our streams as it is."""
        session = self.own.get(getattr(event, "stream_id", None))
        if session is None or not isinstance(event, StreamDataReceived):
            return super().handle_event(event)
        return [
            WebTransportStreamDataReceived(
                data=event.data,
                session_id=session,
                stream_id=event.stream_id,
                stream_ended=event.end_stream,
            )
        ]


class WtQuic(Quic):
    """A connection that may have sessions."""

    def __init__(self, place, **settings):
        super().__init__(place, has_h3=False, max_datagram_frame_size=65536, **settings)
        self.h3 = WtConnection(self.quic)
        self.datagrams = {}

    def add(self, event):
        """Add an event to its stream, or to the datagrams of its session."""
        if isinstance(event, WebTransportStreamDataReceived):
            x = self.stream(event.stream_id)
            x.session = event.session_id
            x.body += event.data
            x.ended = x.ended or event.stream_ended
        elif isinstance(event, DatagramReceived):
            self.datagrams.setdefault(event.stream_id, []).append(event.data)
        else:
            super().add(event)

    def connect(self, path="/", **kwargs):
        """Ask for a session; return it when the server has responded."""
        session = self.begin(path, **kwargs)
        session.wait()
        return session

    def begin(self, path="/", **kwargs):
        """Ask for a session; return it."""
        pseudo = {b":protocol": b"webtransport"}
        number = self.ask(path, "CONNECT", ends=False, pseudo=pseudo, **kwargs)
        return Session(self, number)

    def settings(self):
        """Return the settings of the server."""
        self.until(lambda: self.h3.received_settings is not None, "the settings")
        return self.h3.received_settings


class Session:
    """A session, whose ID is the number of its stream."""

    def __init__(self, quic, number):
        self.quic = quic
        self.number = number
        self.request = quic.stream(number)

    def wait(self):
        """Wait for the response; return its status."""
        x = self.request
        self.quic.until(
            lambda: x.fields is not None or x.reset is not None, "the response"
        )
        return x.status

    def open(self, data=b"", ends=False, is_uni=False):
        """Open a stream; return its number."""
        number = self.quic.h3.create_webtransport_stream(self.number, is_uni)
        self.quic.h3.own[number] = self.number
        self.send(number, data, ends)
        return number

    def send(self, number, data, ends=False):
        """Send data on a stream."""
        self.quic.quic.send_stream_data(number, data, ends)
        self.quic.flush()

    def datagram(self, data):
        """Send a datagram."""
        self.quic.h3.send_datagram(self.number, data)
        self.quic.flush()

    def datagrams(self):
        """Return the datagrams that were received."""
        return self.quic.datagrams.setdefault(self.number, [])

    def capsules(self, data, ends=False):
        """Send bytes on the stream of the session."""
        self.quic.h3.send_data(self.number, data, ends)
        self.quic.flush()

    def close(self, code=0, reason=b""):
        """End the session."""
        self.capsules(capsule(CLOSE, code.to_bytes(4, "big") + reason), True)

    def closed(self):
        """Return code and reason of the server's end; None if it sent no capsule."""
        x = self.request
        self.quic.until(
            lambda: x.ended or x.reset is not None or self.quic.end, "the end"
        )
        body = bytes(x.body)
        if capsule(DRAIN, b"") in body:
            body = body.replace(capsule(DRAIN, b""), b"")
        if not body:
            return None
        head = encode_uint_var(CLOSE)
        assert body.startswith(head)
        value = body[len(head) + (2 if body[len(head)] >= 0x40 else 1) :]
        return int.from_bytes(value[:4], "big"), value[4:]


class Echo:
    """Sends back what arrives, until the session ends; records the messages."""

    def __init__(self):
        self.scopes = []
        self.got = []

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        assert (await receive())["type"] == "webtransport.connect"
        await send({"type": "webtransport.accept"})
        waiting = []
        while True:
            message = await receive()
            self.got.append(message)
            kind = message["type"].removeprefix("webtransport.")
            if kind == "disconnect":
                return
            if kind == "datagram.receive":
                await send({"type": "webtransport.datagram.send", **data(message)})
            elif kind == "stream.opened" and message["stream"] % 4 == 3:
                for part in waiting:
                    await send({**part, "stream": message["stream"]})
            elif kind == "stream.receive":
                part = {
                    "type": "webtransport.stream.send",
                    "stream": message["stream"],
                    "end_stream": not message["more_data"],
                    **data(message),
                }
                if message["stream"] % 4 == 0:
                    await send(part)
                else:
                    waiting.append(part)
                    if part["end_stream"]:
                        await send(
                            {
                                "type": "webtransport.stream.open",
                                "bidirectional": False,
                            }
                        )


def data(message):
    """Return the data of a message, as an item of another."""
    return {"data": message["data"]}


class Scripted:
    """Accepts each session and calls ``act(receive, send)``; records what it raises."""

    def __init__(self, act, accepts=True):
        self.act, self.accepts = act, accepts
        self.got = []
        self.raised = None
        self.ended = threading.Event()

    async def __call__(self, scope, receive, send):
        async def told():
            self.got.append(await receive())
            return self.got[-1]

        try:
            assert (await receive())["type"] == "webtransport.connect"
            if self.accepts:
                await send({"type": "webtransport.accept"})
            await self.act(told, send)
        except BaseException as exc:
            self.raised = exc
            raise
        finally:
            self.ended.set()

    def types(self):
        """Return the types of the messages, without their prefix."""
        return [m["type"].removeprefix("webtransport.") for m in self.got]

    def wait(self, quic):
        """Wait for the end of the call."""
        quic.until(self.ended.is_set, "the end of the call")


class Waiting(Scripted):
    """Receives nothing until ``go`` is set, and then everything."""

    def __init__(self):
        super().__init__(self.wait_and_drain)
        self.go = threading.Event()

    async def wait_and_drain(self, receive, send):
        """Wait, and receive until the session ends."""
        while not self.go.is_set():
            await asyncio.sleep(0.005)
        await drain(receive)


async def drain(receive):
    """Receive until the session ends."""
    while (await receive())["type"] != "webtransport.disconnect":
        pass
