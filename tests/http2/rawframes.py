"""Frames of HTTP/2 as bytes, and a connection on which anything may be sent."""

import socket
import time

import hpack
from serving import DEADLINE_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
PRIORITY_UPDATE = 0x10
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED = 0, 1, 3, 5
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11

GET = bytes.fromhex("828684410161")
"""GET http://a/, compressed without the dynamic table."""

POST = bytes.fromhex("838684410161")


def frame(kind, flags, stream, payload=b""):
    """Return a frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def headers(stream, block=GET, flags=END_STREAM | END_HEADERS):
    """Return HEADERS."""
    return frame(HEADERS, flags, stream, block)


def settings(*pairs):
    """Return SETTINGS."""
    payload = b"".join(n.to_bytes(2, "big") + v.to_bytes(4, "big") for n, v in pairs)
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream, increment):
    """Return WINDOW_UPDATE."""
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def rst_stream(stream, code=CANCEL):
    """Return RST_STREAM."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


class Raw:
    """A connection; ends with its block.  ``frames`` are those that have come."""

    def __init__(self, serving, first=None):
        self.sock = serving.connect()
        self.data = b""
        self.frames = []
        self.closed = False
        self.decoder = hpack.Decoder()
        self.send(PREFACE + (settings() if first is None else first))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """Send bytes; a peer that has gone takes them as well."""
        try:
            self.sock.sendall(data)
        except OSError:
            self.closed = True

    def read(self):
        """Read once."""
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.closed = self.closed or not data
        self.take(data)

    def take(self, data):
        """Cut what has come into frames; tables of the decoder follow."""
        self.data += data
        while len(self.data) >= 9:
            end = 9 + int.from_bytes(self.data[:3], "big")
            if len(self.data) < end:
                break
            head, payload = self.data[:9], self.data[9:end]
            self.data = self.data[end:]
            stream = int.from_bytes(head[5:9], "big")
            if head[3] == HEADERS:
                payload = self.decoder.decode(payload)
            self.frames.append((head[3], head[4], stream, payload))

    def of(self, kind, stream=None):
        """Return the frames of a kind that have come, perhaps of one stream."""
        return [
            x
            for x in self.frames
            if x[0] == kind and (stream is None or x[2] == stream)
        ]

    def until(self, is_done):
        """Read until ``is_done()``, or the end of the connection."""
        end = time.monotonic() + DEADLINE_S
        while not self.closed and not is_done():
            assert time.monotonic() < end
            self.read()

    def until_closed(self):
        """Read to the end of the connection; return the code of GOAWAY, or None."""
        self.until(lambda: False)
        return self.goaway()

    def goaway(self):
        """Return the code of the last GOAWAY, or None."""
        found = self.of(GOAWAY)
        return int.from_bytes(found[-1][3][4:8], "big") if found else None

    def reset(self, stream):
        """Return the code that a stream was reset with, or None."""
        found = self.of(RST_STREAM, stream)
        return int.from_bytes(found[0][3], "big") if found else None

    def status(self, stream):
        """Return the status of an answer as text, or None."""
        found = self.of(HEADERS, stream)
        return dict(found[0][3])[":status"] if found else None

    def body(self, stream):
        """Return the data of an answer."""
        return b"".join(x[3] for x in self.of(DATA, stream))

    def ping(self):
        """Wait for the answer to a PING: everything before it has been dealt with."""
        n = len(self.of(PING))
        self.send(frame(PING, 0, 0, b"are here"))
        self.until(lambda: len(self.of(PING)) > n)

    def pour(self, unit, times, reads=True):
        """Send ``unit(n)`` for n in range(times) while the peer takes it.

        Return whether the peer has ended the connection; without ``reads`` it may also
        have stopped to read.
        """
        patience = DEADLINE_S if reads else 0.5
        pending, n = b"", 0
        self.sock.setblocking(False)
        idle_since = time.monotonic()
        while not self.closed and (pending or n < times):
            while n < times and len(pending) < 1 << 16:
                pending += unit(n)
                n += 1
            moved = self.push(pending)
            pending = pending[moved:]
            if reads:
                self.drain()
            if moved:
                idle_since = time.monotonic()
            elif time.monotonic() > idle_since + patience:
                break
            else:
                time.sleep(0.001)
        self.sock.settimeout(DEADLINE_S)
        return self.closed

    def push(self, data):
        """Send what the socket takes at once; return how much."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.drain()
            self.closed = True
            return 0

    def drain(self):
        """Read what is there."""
        try:
            while not self.closed:
                self.read()
        except BlockingIOError:
            pass


def talk_http_1(serving, data):
    """Send bytes on a connection of their own and return all that comes."""
    with socket.create_connection(serving.place, DEADLINE_S) as sock:
        sock.sendall(data)
        found = b""
        while piece := sock.recv(65536):
            found += piece
        return found
