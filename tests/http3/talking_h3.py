"""An HTTP/3 client for tests, by aioquic, whose packets a test may see and drop."""

import time

import talking_h2
from aioquic.buffer import Buffer, encode_uint_var
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    StopSendingReceived,
    StreamReset,
)
from quic_client import Connection, QuicClient, configuration
from serving import DEADLINE_S
from talking import Secure

__all__ = ["Buffer", "Quic", "Served", "Stream", "encode_uint_var", "get"]


class Served(Secure):
    """Serves ``app`` over TCP and over QUIC within its block."""

    def __init__(self, app, pair, **settings):
        super().__init__(app, pair, **{"http3": True, **settings})


class Stream(talking_h2.Stream):
    """What was received on one stream; names and values of fields are bytes."""

    STATUS = b":status"

    def __init__(self):
        super().__init__()
        self.stopped = None
        self.session = None

    def field(self, name):
        """Return the value of a field, or None."""
        return dict(self.fields).get(name)


class Quic(QuicClient):
    """A connection to a server within a block, which closes it.

    ``drop(is_sent, number)`` says whether a datagram is lost; settings are those of
    aioquic's configuration.
    """

    def __init__(self, place, drop=None, has_h3=True, pair=None, **settings):
        conf = configuration(**settings)
        if pair is not None:
            conf.load_cert_chain(str(pair.cert), str(pair.key))
        self.tickets, self.tokens = [], []
        self.drop, self.counts = drop, [0, 0]
        super().__init__(
            place,
            conf,
            session_ticket_handler=self.tickets.append,
            token_handler=self.tokens.append,
        )
        self.h3 = Connection(self.quic) if has_h3 else None
        self.streams = {}
        self.goaways = 0
        self.end = None
        self.handshake = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop = None  # without its end the server waits until it is idle
        self.quic.close(error_code=0x100)
        self.flush()
        self.socket.close()

    def loses(self, is_sent):
        """Count the datagram, and return what ``drop`` says."""
        self.counts[is_sent] += 1
        return self.drop is not None and self.drop(is_sent, self.counts[is_sent])

    def on_refused(self):
        """Note the end."""
        self.end = self.end or "refused"

    def step(self, most_s=0.05):
        """Wait for packets at most ``most_s``, and take them."""
        self.flush()
        self.receive(self.wait_s(most_s))
        self.take()
        self.flush()

    def take(self):
        """Take aioquic's events."""
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self.end = event
            elif isinstance(event, HandshakeCompleted):
                self.handshake = event
            elif isinstance(event, StreamReset):
                self.stream(event.stream_id).reset = event.error_code
            elif isinstance(event, StopSendingReceived):
                self.stream(event.stream_id).stopped = event.error_code
            for found in self.h3.handle_event(event) if self.h3 else ():
                self.add(found)

    def stream(self, number):
        """Return what was received on a stream."""
        return self.streams.setdefault(number, Stream())

    def add(self, event):
        """Add an event of HTTP/3 to its stream."""
        x = self.stream(event.stream_id)
        if isinstance(event, HeadersReceived):
            status = int(dict(event.headers).get(b":status", b"0"))
            if 100 <= status < 200:
                x.interim.append(event.headers)
            elif x.fields is None:
                x.fields = event.headers
            else:
                x.trailers = event.headers
        elif isinstance(event, DataReceived):
            x.body += event.data
        x.ended = x.ended or event.stream_ended

    def until(self, is_done, about="it"):
        """Continue until ``is_done()``; fail after a while."""
        due = time.monotonic() + DEADLINE_S
        while not is_done():
            assert time.monotonic() < due, f"{about} has not come: {self.end}"
            self.step()

    def ask(self, path="/", method="GET", fields=(), ends=True, pseudo=()):
        """Send the head of a request; return the number of its stream."""
        number = self.quic.get_next_available_stream_id()
        self.stream(number)
        head = {b":method": method.encode(), b":scheme": b"https"}
        head |= {b":authority": b"localhost", b":path": path.encode(), **dict(pseudo)}
        self.h3.send_headers(number, [*head.items(), *fields], ends)
        self.flush()
        return number

    def ask_websocket(self, version=b"13"):
        """Send an extended CONNECT (RFC 9220); return the number of its stream."""
        return self.ask(
            method="CONNECT",
            pseudo=[(b":protocol", b"websocket")],
            fields=[(b"sec-websocket-version", version)],
            ends=False,
        )

    def finish(self, number):
        """Return what was received on a stream when it has ended."""
        x = self.stream(number)
        self.until(lambda: x.ended or x.reset is not None or self.end, "a response")
        return x

    def get(self, path="/", **kwargs):
        """Send a request without a body; return its Stream when it is complete."""
        return self.finish(self.ask(path, **kwargs))

    def post(self, body, path="/", **kwargs):
        """Send a request with a body; return its Stream when it is complete."""
        number = self.ask(path, kwargs.pop("method", "POST"), ends=False, **kwargs)
        self.h3.send_data(number, body, True)
        return self.finish(number)

    def code(self):
        """Return the code with which the server has ended the connection."""
        self.until(lambda: self.end is not None, "the end")
        return self.end.error_code


def get(place, path="/", **settings):
    """Send one request on a new connection; return its Stream."""
    with Quic(place, **settings) as quic:
        return quic.get(path)
