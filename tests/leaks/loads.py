"""What clients do a hundred thousand times: each load runs ``n`` times against a
port.
"""

import socket
import ssl
import struct
import time
import zlib

from rawframes import PREFACE, frame, headers, rst_stream, settings, window_update

BATCH = 20
BODY = b"x" * 65536
FILE_BYTES = 4096
MESSAGE = b"m" * 64
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: c2l4dGVlbiBieXRlcy4uLg==\r\n"
    b"Sec-WebSocket-Version: 13\r\n%s\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
AWAY = b"\x88\x82\0\0\0\0\x03\xe9"
WAITING = bytes.fromhex("8286410161") + b"\x44\x05/wait"
END_STREAM, PING, SETTINGS = 1, 6, 4
DEADLINE_S = 60
READ_BYTES = 1 << 18


class Clock:
    """Ends a load when its time is up."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def batches(self, n, size=BATCH):
        """Yield sizes of batches that make up ``n``, or fewer when the time is up."""
        while n > 0 and time.monotonic() < self.end:
            yield min(size, n)
            n -= size


def connect(port):
    """Return a connection."""
    sock = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def get(path, fields=b""):
    """Return a request."""
    return b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (path, fields)


def read_times(sock, mark, times):
    """Read until a mark, which ends the data, was received ``times`` times."""
    data = b""
    while data.count(mark) < times or not data.endswith(mark):
        piece = sock.recv(READ_BYTES)
        assert piece, f"the connection has ended after {data[-200:]!r}"
        data += piece


def read_bytes(sock, n):
    """Read so many bytes."""
    while n > 0:
        piece = sock.recv(min(n, READ_BYTES))
        assert piece, "the connection has ended"
        n -= len(piece)


def read_to_end(sock):
    """Read until the connection ends."""
    while sock.recv(READ_BYTES):
        pass


def pipelined(path, mark):
    """Return a load of pipelined GETs whose responses end with a mark."""

    def load(port, n, clock):
        done = 0
        with connect(port) as sock:
            for size in clock.batches(n):
                sock.sendall(get(path) * size)
                read_times(sock, mark, size)
                done += size
        return done

    return load


def posts(port, n, clock):
    """Send bodies of 64 KiB."""
    post = b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    post = post % len(BODY) + BODY
    done = 0
    with connect(port) as sock:
        for size in clock.batches(n, 1):
            sock.sendall(post)
            read_times(sock, b"65536 bytes", size)
            done += size
    return done


def connections(port, n, clock):
    """Open a connection for each request."""
    done = 0
    for size in clock.batches(n, 1):
        with connect(port) as sock:
            sock.sendall(get(b"/", b"Connection: close\r\n"))
            read_to_end(sock)
        done += size
    return done


def upgraded(port, fields=b""):
    """Return a connection with an open WebSocket."""
    sock = connect(port)
    sock.sendall(UPGRADE % fields)
    read_times(sock, b"\r\n\r\n", 1)
    return sock


def messages(port, n, clock):
    """Send messages on one WebSocket."""
    done = 0
    sent = bytes([0x82, 0x80 | len(MESSAGE)]) + b"\0\0\0\0" + MESSAGE
    with upgraded(port) as sock:
        for size in clock.batches(n):
            sock.sendall(sent * size)
            read_bytes(sock, size * (2 + len(MESSAGE)))
            done += size
    return done


def compressed_messages(port, n, clock):
    """Send compressed messages; the responses have at least two bytes."""
    done = 0
    deflater = zlib.compressobj(1, zlib.DEFLATED, -9)
    data = deflater.compress(b"m" * 2000) + deflater.flush(zlib.Z_SYNC_FLUSH)
    data = data[:-4]
    assert len(data) < 126
    sent = bytes([0xC1, 0x80 | len(data)]) + b"\0\0\0\0" + data
    with upgraded(port, DEFLATE) as sock:
        for size in clock.batches(n):
            sock.sendall(sent * size)
            for _ in range(size):
                read_bytes(sock, read_head(sock))
            done += size
    return done


def read_head(sock):
    """Read the head of a short message and return its length."""
    head = sock.recv(1)
    head += sock.recv(1)
    assert head[1] < 126
    return head[1]


def websockets(port, n, clock):
    """Open WebSockets, send one message on each, and close it."""
    done = 0
    sent = bytes([0x81, 0x80 | len(MESSAGE)]) + b"\0\0\0\0" + MESSAGE + AWAY
    for size in clock.batches(n, 1):
        with upgraded(port) as sock:
            sock.sendall(sent)
            read_to_end(sock)
        done += size
    return done


class Frames:
    """An HTTP/2 connection that counts what is received."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""
        self.sock.sendall(PREFACE + settings())
        self.read(lambda kind, flags: kind == SETTINGS and not flags & 1, 1)
        self.stream = 1

    def next_stream(self):
        """Return the number of a new stream."""
        self.stream += 2
        return self.stream - 2

    def read(self, is_one, times):
        """Read until ``n`` frames for which ``is_one(kind, flags)`` is true were
        received.
        """
        while times > 0:
            data = self.data
            at = 0
            while len(data) >= at + 9:
                end = at + 9 + int.from_bytes(data[at : at + 3], "big")
                if len(data) < end:
                    break
                times -= is_one(data[at + 3], data[at + 4])
                at = end
            self.data = data[at:]
            if times > 0:
                piece = self.sock.recv(READ_BYTES)
                assert piece, "the connection has ended"
                self.data += piece


def h2_requests(port, n, clock):
    """Send requests on streams of one connection."""
    done = 0
    with connect(port) as sock:
        frames = Frames(sock)
        for size in clock.batches(n):
            sock.sendall(b"".join(headers(frames.next_stream()) for _ in range(size)))
            frames.read(lambda kind, flags: kind == 0 and flags & END_STREAM, size)
            sock.sendall(window_update(0, 5 * size))
            done += size
    return done


def h2_resets(port, n, clock):
    """Reset streams whose calls are waiting."""
    done = 0
    with connect(port) as sock:
        frames = Frames(sock)
        for size in clock.batches(n):
            streams = [frames.next_stream() for _ in range(size)]
            sock.sendall(b"".join(headers(x, WAITING) for x in streams))
            sock.sendall(b"".join(map(rst_stream, streams)))
            sock.sendall(frame(PING, 0, 0, b"are here"))
            frames.read(lambda kind, flags: kind == PING and flags & 1, 1)
            done += size
    return done


def client_context():
    """Return a context that verifies no certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def handshakes(port, n, clock):
    """Complete full handshakes, with one request each."""
    done, context = 0, client_context()
    for size in clock.batches(n, 1):
        with context.wrap_socket(connect(port)) as sock:
            sock.sendall(get(b"/", b"Connection: close\r\n"))
            read_to_end(sock)
        done += size
    return done


def broken_handshakes(port, n, clock):
    """Send the beginning of a handshake, and disconnect."""
    done, into, out = 0, ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context().wrap_bio(into, out)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        hello = out.read()
    for size in clock.batches(n, 1):
        with connect(port) as sock:
            sock.sendall(hello if done % 2 else hello[: len(hello) // 2])
            if done % 2:
                sock.recv(READ_BYTES)
        done += size
    return done


def leave_by_reset(sock):
    """Make close() reset the connection."""
    linger = struct.pack("ii", 1, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


HALF_POST = b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx"
LEAVING = [get(b"/wait"), get(b"/idle"), get(b"/endless"), HALF_POST, get(b"/")[:9]]
LEAVING += [
    UPGRADE % b"",
    UPGRADE % DEFLATE,
    PREFACE + settings() + headers(1, WAITING),
]
READS = (get(b"/idle"), get(b"/endless"))


def leaving(port, n, clock):
    """Disconnect in each state of a request, by closing or by a reset."""
    done = 0
    for size in clock.batches(n, 1):
        sent = LEAVING[done % len(LEAVING)]
        with connect(port) as sock:
            sock.sendall(sent)
            if sent in READS or sent.startswith(UPGRADE[:7]):
                sock.recv(1000)
            if done // len(LEAVING) % 2:
                leave_by_reset(sock)
        done += size
    return done


LOADS = {
    "GET, pipelined": pipelined(b"/", b"hello"),
    "GET, a connection each": connections,
    "POST 64 KiB": posts,
    "streamed responses": pipelined(b"/stream", b"0\r\n\r\n"),
    "files": pipelined(b"/file", b"f" * FILE_BYTES),
    "WebSocket messages": messages,
    "compressed messages": compressed_messages,
    "WebSockets": websockets,
    "HTTP/2 requests": h2_requests,
    "HTTP/2 resets": h2_resets,
    "TLS handshakes": handshakes,
    "broken TLS handshakes": broken_handshakes,
    "clients that leave": leaving,
}
SECURE = {handshakes, broken_handshakes}
