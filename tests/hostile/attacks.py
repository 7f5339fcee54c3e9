"""What the hostile clients send, and how they judge the server's reaction."""

import functools
import re
import ssl
import zlib

from frames import BARE, POST, PREFACE, frame, get_of, headers, settings, window_update
from frames import DATA as H2_DATA
from swarm import DATA, HELD

BLOCK = 1 << 16


def judge_http1(peer):
    """Return the last status of a response."""
    found = re.findall(rb"HTTP/1\.[01] (\d{3})", peer.first + peer.last)
    return found[-1].decode() if found else ""


CODES = {
    0: "NO_ERROR", 1: "PROTOCOL_ERROR", 3: "FLOW_CONTROL_ERROR",
    5: "STREAM_CLOSED", 6: "FRAME_SIZE_ERROR", 9: "COMPRESSION_ERROR",
    11: "ENHANCE_YOUR_CALM",
}  # fmt: skip


def judge_http2(peer):
    """Return the code of the last GOAWAY."""
    found = re.findall(rb"\x07\0\0\0\0\0....(....)", peer.first + peer.last, re.S)
    if not found:
        return ""
    code = int.from_bytes(found[-1], "big")
    return f"GOAWAY {CODES.get(code, code)}"


def judge_websocket(peer):
    """Return the code of a Close."""
    found = re.findall(rb"\x88[\x02-\x7d](..)", peer.last, re.S)
    return f"Close {int.from_bytes(found[-1], 'big')}" if found else judge_http1(peer)


def judge_tls(peer):
    """Return nothing: the data is encrypted."""
    return ""


def pour(block, times, first=b"", reads=True):
    """Return a script that sends a block repeatedly, then waits."""

    def script(peer):
        peer.reads = reads
        if first:
            yield first
        for _ in range(times):
            yield block
        yield HELD

    return script


def in_blocks(unit, times):
    """Return a unit repeated to a block, and how many blocks make ``times`` units."""
    many = max(1, min(times, BLOCK // len(unit)))
    return unit * many, -(-times // many)


def repeat(unit, times, first=b"", reads=True):
    """Return a script that sends a unit ``times`` times."""
    return pour(*in_blocks(unit, times), first, reads)


def all_at_once(text, first=b"", reads=True):
    """Return a script that sends a long text once, in parts."""
    view = memoryview(text)

    def script(peer):
        peer.reads = reads
        if first:
            yield first
        for i in range(0, len(view), BLOCK):
            yield view[i : i + BLOCK]
        yield HELD

    return script


def drip(first, byte, pause):
    """Return a script that sends one byte after each pause."""

    def script(peer):
        yield first
        while True:
            yield pause
            yield byte

    return script


def read_slowly(first, size, pause):
    """Return a script that sends a request and reads so many bytes after each pause."""

    def script(peer):
        peer.reads = False
        yield first
        while True:
            yield pause
            if size:
                try:
                    data = peer.sock.recv(size)
                except BlockingIOError:
                    continue
                except OSError:
                    return peer.cut("reset")
                if not data:
                    return peer.cut("closed")
                peer.saw(data)

    return script


def silent(peer):
    """Send nothing."""
    yield HELD


def request(path="/", fields="", method="GET"):
    """Return a request."""
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: c2l4dGVlbiBieXRlcy4uLg==\r\n"
)
DEFLATE = UPGRADE + "Sec-WebSocket-Extensions: permessage-deflate\r\n"
CHUNKED = request("/upload", "Transfer-Encoding: chunked\r\n", "POST")
ENDLESS = request("/upload", "Content-Length: 1000000000\r\n", "POST")


def ws_frame(first, payload=b""):
    """Return a frame with a mask of 0."""
    n = len(payload)
    if n < 126:
        size = bytes([0x80 | n])
    elif n < 65536:
        size = b"\xfe" + n.to_bytes(2, "big")
    else:
        size = b"\xff" + n.to_bytes(8, "big")
    return bytes([first]) + size + b"\0\0\0\0" + payload


def upgraded(fields, path, script):
    """Return a script that runs another one on an open WebSocket."""

    def whole(peer):
        yield request(path, fields)
        yield DATA
        yield from script(peer)

    return whole


@functools.cache
def bomb():
    """Return a compressed message of 256 MiB of zeros."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [deflate.compress(bytes(1 << 20)) for _ in range(256)]
    pieces.append(deflate.flush(zlib.Z_SYNC_FLUSH))
    return b"".join(pieces)[:-4]


def odd(n):
    """Return the number of the n-th stream."""
    return 2 * n + 1


def streams(unit, times):
    """Return ``unit(stream)`` for so many streams, joined."""
    return b"".join(unit(odd(n)) for n in range(times))


def window_game(peer):
    """Open 100 streams for large responses, and open windows one byte at a time."""
    yield PREFACE + settings((4, 0))
    yield streams(lambda s: headers(s, get_of("/big")), 100)
    while True:
        yield 0.1
        yield streams(lambda s: window_update(s, 1), 100)


FIELD = b"\x40\x01x\x7f\xa1\x1e" + b"v" * 4000


def tables(peer):
    """Send blocks of references to a long field of the dynamic table."""
    yield PREFACE + settings()
    yield headers(1, BARE + FIELD)
    block = BARE + b"\xbe" * 16000
    yield streams(lambda s: headers(s + 2, block), 200)
    yield HELD


def crumbs(peer):
    """Send blocks of references to one crumb of a cookie, and never open a window."""
    yield PREFACE + settings((4, 0))
    yield headers(1, BARE + b"\x40\x06cookie\0")
    block = BARE + b"\xbe" * 4000
    yield streams(lambda s: headers(s + 2, block), 200)
    yield HELD


def reset_after(exchange, count):
    """Return a script that resets its connection after one more byte each time."""
    state = {"n": 0}

    def script(peer):
        n = state["n"] = state["n"] % len(exchange) + 1
        yield exchange[:n]
        if state["n"] % 2:
            yield 0.001

    return script


def tls_client():
    """Return the client's side of a new TLS connection, and its two buffers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    return context.wrap_bio(incoming, outgoing, server_hostname="a"), incoming, outgoing


def shake(peer, tls, incoming, outgoing):
    """Complete the handshake."""
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            yield outgoing.read()
            incoming.write((yield DATA))
            continue
        break
    yield outgoing.read()


@functools.cache
def hello():
    """Return a ClientHello."""
    tls, _, outgoing = tls_client()
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


def greet(peer):
    """Make the server sign, and disconnect."""
    yield hello()
    yield DATA


def small_records(text, times):
    """Return a script that sends a text over TLS in one-byte records."""

    def script(peer):
        tls, incoming, outgoing = tls_client()
        yield from shake(peer, tls, incoming, outgoing)
        tls.write(ENDLESS)
        yield outgoing.read()
        for _ in range(times):
            for _ in range(500):
                tls.write(text)
            yield outgoing.read()
        yield HELD

    return script


def tls_reset(length):
    """Return a script that resets after one more byte of a TLS exchange each time."""
    state = {"n": 0}

    def script(peer):
        state["n"] = state["n"] % length + 1
        left = state["n"]
        tls, incoming, outgoing = tls_client()
        done = False
        while left > 0:
            try:
                if not done:
                    tls.do_handshake()
                    done = True
                    tls.write(request())
            except ssl.SSLWantReadError:
                pass
            data = outgoing.read()[:left]
            if not data:
                incoming.write((yield DATA))
                if done:
                    return
                continue
            left -= len(data)
            yield data

    return script


def h2_exchange():
    """Return the bytes of a client that sends a POST over HTTP/2."""
    body = frame(H2_DATA, 0, 1, b"hello") + frame(H2_DATA, 1, 1, b"more")
    get = headers(3)
    return PREFACE + settings((4, 100000)) + headers(1, POST, 4) + body + get


WS_EXCHANGE = request("/echo", UPGRADE) + ws_frame(0x81, b"hello") + ws_frame(0x88)
H1_EXCHANGE = CHUNKED + b"5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n" + request()
