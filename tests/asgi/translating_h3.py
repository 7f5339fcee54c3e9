"""A gateway that speaks HTTP/1.1 with a test and HTTP/3 with the server; see
translating.py. QUIC and HTTP/3 are aioquic's.
"""

import select

import h2.errors
import h2.events
import translating
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    StreamReset,
)
from quic_client import Connection, QuicClient, configuration

ENOUGH = 1 << 16
"""Bytes for the test from which on the server's packets are not read."""


def event_of(kind, stream, **attributes):
    """Return an event of the h2 package, which translating.py takes."""
    event = kind.__new__(kind)
    event.__dict__.update(stream_id=stream, **attributes)
    return event


class Link(QuicClient):
    """An HTTP/3 connection with the methods of h2's connection that are needed."""

    max_outbound_frame_size = 1 << 16

    def __init__(self, place):
        super().__init__(place, configuration())
        self.h3 = Connection(self.quic)
        self.answered = set()
        self.is_over = False
        self.is_open = False
        self.open()

    def open(self):
        """Complete the handshake: what a client sends before it leaves must arrive."""
        while not self.is_open and not self.is_over:
            self.flush()
            self.receive(self.wait_s())
            self.take_events()

    def get_next_available_stream_id(self):
        """Return the number of a new request stream."""
        return self.quic.get_next_available_stream_id()

    def local_flow_control_window(self, stream):
        """Return what may be sent: aioquic keeps what the window does not allow."""
        return 1 << 16

    def send_headers(self, stream, fields, end_stream=False):
        """Send a request; it is over TLS."""
        fields = [(n, b"https" if n == b":scheme" else v) for n, v in fields]
        self.h3.send_headers(stream, fields, end_stream)

    def send_data(self, stream, data):
        """Send a part of a body."""
        self.h3.send_data(stream, data, False)

    def end_stream(self, stream):
        """End a body."""
        self.h3.send_data(stream, b"", True)

    def acknowledge_received_data(self, n, stream):
        """Do nothing: aioquic opens its windows by itself."""

    def on_refused(self):
        """End the connection."""
        self.is_over = True

    def wait_s(self, most_s=10):
        """Return for how long there is nothing to do unless a packet arrives."""
        return most_s if self.is_over else super().wait_s(most_s)

    def read(self, is_wanted):
        """Read the packets that have arrived, if they are wanted; return events."""
        if is_wanted:
            self.receive()
        return self.take_events()

    def take_events(self):
        """Return what aioquic has to report, as events of h2."""
        events = []
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self.is_over = True
            elif isinstance(event, HandshakeCompleted):
                self.is_open = True
            elif isinstance(event, StreamReset):
                code = 0 if event.error_code == 0x100 else event.error_code
                events.append(
                    event_of(
                        h2.events.StreamReset, event.stream_id, error_code=code or 1
                    )
                )
            for found in self.h3.handle_event(event):
                events += self.convert(found)
        return events

    def convert(self, event):
        """Return the events of h2 that mean the same."""
        stream = event.stream_id
        if isinstance(event, HeadersReceived):
            status = int(dict(event.headers).get(b":status", b"0"))
            if 100 <= status < 200:
                yield event_of(
                    h2.events.InformationalResponseReceived,
                    stream,
                    headers=event.headers,
                )
                return
            kind = h2.events.ResponseReceived
            if stream in self.answered:
                kind = h2.events.TrailersReceived
            self.answered.add(stream)
            yield event_of(
                kind, stream, headers=event.headers, stream_ended=event.stream_ended
            )
        elif isinstance(event, DataReceived):
            yield event_of(
                h2.events.DataReceived,
                stream,
                data=event.data,
                flow_controlled_length=len(event.data),
            )
        else:
            return
        if event.stream_ended:
            yield event_of(h2.events.StreamEnded, stream)


class Client(translating.Client):
    """One connection of a test, handled by a thread."""

    def __init__(self, client, place, family):
        self.client = client
        self.h2 = Link(place)
        self.server = self.h2.socket
        self.data = b""
        self.down = b""
        self.owed = 0
        self.exchange = None
        self.ends = False

    def run(self):
        """Run until either side closes."""
        try:
            while not self.ends or self.down:
                self.step()
        except (OSError, EOFError):
            pass
        finally:
            self.h2.quic.close(error_code=0x100)
            self.h2.flush()
            self.server.close()
            self.client.close()

    def step(self):
        """Wait for one event and handle it."""
        self.send_up()
        self.h2.flush()
        reads = [self.server] if len(self.down) < ENOUGH else []
        if len(self.data) < ENOUGH:
            reads.append(self.client)
        writes = [self.client] if self.down else []
        ready, writable, _ = select.select(reads, writes, [], self.h2.wait_s())
        if writable:
            self.send_down()
        for event in self.h2.read(self.server in ready):
            self.take(event)
        if self.h2.is_over:
            self.ends = True
        if self.client in ready:
            data = self.client.recv(65536)
            if not data:
                raise EOFError
            self.data += data


class Gateway(translating.Gateway):
    """Listens for tests in front of the server at ``place``."""

    client_type = Client
