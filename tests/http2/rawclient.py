"""An HTTP/2 connection on which a test may send any bytes."""

import socket
import time

import hpack
from rawframes import DATA, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, frame, settings
from serving import DEADLINE_S


class Raw:
    """A connection, closed by its block. ``frames`` holds the frames received so
    far.
    """

    def __init__(self, serving, first=None):
        self.sock = serving.connect()
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
        """Send bytes; does nothing if the peer has closed the connection."""
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
        """Split the received bytes into frames and update the decoder's table."""
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
        """Return the frames of one type that were received, optionally of one
        stream.
        """
        return [
            x
            for x in self.frames
            if x[0] == kind and (stream is None or x[2] == stream)
        ]

    def until(self, is_done):
        """Read until ``is_done()`` or until the connection ends."""
        end = time.monotonic() + DEADLINE_S
        while not self.closed and not is_done():
            assert time.monotonic() < end
            self.read()

    def until_closed(self):
        """Read until the connection ends; return the code of GOAWAY, or None."""
        self.until(lambda: False)
        return self.goaway()

    def goaway(self):
        """Return the code of the last GOAWAY, or None."""
        found = self.of(GOAWAY)
        return int.from_bytes(found[-1][3][4:8], "big") if found else None

    def reset(self, stream):
        """Return the code with which a stream was reset, or None."""
        found = self.of(RST_STREAM, stream)
        return int.from_bytes(found[0][3], "big") if found else None

    def status(self, stream):
        """Return the status of the response as text, or None."""
        found = self.of(HEADERS, stream)
        return dict(found[0][3])[":status"] if found else None

    def body(self, stream):
        """Return the body of the response."""
        return b"".join(x[3] for x in self.of(DATA, stream))

    def ping(self):
        """Wait for the reply to a PING: the server has processed everything sent
        before.
        """
        n = len(self.of(PING))
        self.send(frame(PING, 0, 0, b"are here"))
        self.until(lambda: len(self.of(PING)) > n)

    def pour(self, unit, times, reads=True):
        """Send ``unit(n)`` for n in range(times) as long as the peer accepts it.

        Return whether the peer has closed the connection; without ``reads`` it may also
        have stopped reading.
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
        """Send what the socket accepts at once; return how many bytes."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.drain()
            self.closed = True
            return 0

    def drain(self):
        """Read what has been received."""
        try:
            while not self.closed:
                self.read()
        except BlockingIOError:
            pass


def talk_http_1(serving, data):
    """Send bytes on a new connection and return everything received."""
    with socket.create_connection(serving.place, DEADLINE_S) as sock:
        sock.sendall(data)
        found = b""
        while piece := sock.recv(65536):
            found += piece
        return found
