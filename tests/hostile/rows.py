"""The attacks: each is one row of docs/HOSTILE.md."""

from collections.abc import Callable
from dataclasses import dataclass

import attacks as a
import frames as h2
import quic_attacks as q


@dataclass
class Row:
    """One attack.

    A flood is sent repeatedly in short windows, with quiet windows between them. An
    attack that ``lasts`` has one window of so many seconds between two quiet ones.
    """

    name: str
    title: str
    script: Callable
    """Returns the script of each connection; its argument is whether this is a
    short run.
    """
    cut: str
    """A regular expression for how the server closes all of them; "": none is
    closed.
    """
    count: int = 4
    """How many connections are open at once."""
    short: int = 0
    """The same with --short; 0: as without it."""
    again: int = 2000
    """How many more connections are opened for those that were closed."""
    judge: Callable = a.judge_http1
    port: str = "http1"
    lasts: float = 0
    options: str = ""
    hasty: str = ""
    """Options with --short."""
    pace: int = 0
    """How many connections are opened per second; 0: as fast as possible."""
    small: int = 0
    """The size of the receive buffer of the attacker's sockets."""
    files: int = 0
    """The server's limit of open files."""
    new_every: int = 10
    """One of so many requests of the well-behaved client uses a new connection."""
    nginx: bool = True
    judged: bool = True
    """Whether p99 has to be within its limit."""
    judged_h3: bool = True
    """Whether that of HTTP/3 has to be: not if all packets wait in the same socket."""
    must: bool = True
    """Whether connections have to be closed; otherwise they may be, as ``cut`` says."""


def always(script):
    """Return a factory of a script that is the same for short runs."""
    return lambda short: script


def h2_flood(unit, times, first=b"", reads=True):
    """Return a factory of a script that sends a preface, and one frame repeatedly."""
    begin = h2.PREFACE + h2.settings() + first
    return always(a.repeat(unit, times, begin, reads))


def h2_streams(unit, times):
    """Return a factory of a script that sends a preface, and frames of so many
    streams.
    """
    begin = h2.PREFACE + h2.settings()
    return lambda short: a.all_at_once(a.streams(unit, times), begin)


def socket_flood(unit, times, path="/echo", reads=True, first=b""):
    """Return a factory of a script that opens a WebSocket and sends a frame
    repeatedly.
    """

    def script(peer):
        peer.reads = reads
        yield from a.repeat(unit, times, first, reads)(peer)

    return always(a.upgraded(a.UPGRADE, path, script))


def reset_pair(path):
    """Return a function that returns a request of a stream and its reset."""
    block = h2.get_of(path)
    return lambda s: h2.headers(s, block) + h2.rst_stream(s)


def bombs(short):
    """Return a script of deflate bombs."""

    def script(peer):
        yield message
        yield a.HELD

    message = a.ws_frame(0xC1, a.bomb())
    return a.upgraded(a.DEFLATE, "/sink", script)


MANY_FIELDS = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 10_000 + b"\r\n"
EXTENSION = b"1;" + b"e=" + b"x" * 1000 + b"\r\nx\r\n"
LONG_EXTENSION = a.CHUNKED + b"1;" + b"x" * 1_000_000
LONG_CRUMBS = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 1_000_000
CALM = "GOAWAY ENHANCE_YOUR_CALM|reset|^closed"

HTTP1 = [
    Row("heads", "heads sent at one byte per second",
        always(a.drip(b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x", 1.0)),
        "408, closed", count=10_000, short=500, again=0, lasts=18, pace=2000,
        hasty="--timeout-head 1"),
    Row("bodies", "bodies sent at one byte per second",
        always(a.drip(a.ENDLESS, b"x", 1.0)),
        "408, closed", count=10_000, short=500, again=0, lasts=40, pace=2000,
        hasty="--timeout-body 1"),
    Row("readers", "readers of 100 MiB at 1 KiB per second",
        always(a.read_slowly(a.request("/big"), 1024, 1.0)),
        "", count=500, short=100, again=0, lasts=20, pace=200, small=4096),
    Row("no-readers", "clients that request 100 MiB and do not read",
        always(a.read_slowly(a.request("/big"), 0, 0.5)),
        "200, reset|reset", count=500, short=100, again=0, lasts=36, pace=200,
        small=4096, hasty="--timeout-send 1"),
    Row("descriptors", "3,000 connections to a server with 256 descriptors",
        always(a.silent), "closed", count=3000, short=1000, again=3000, lasts=12,
        files=256, new_every=0, hasty="--timeout-keep-alive 1"),
    Row("resets-1", "resets after each byte of an exchange, HTTP/1.1",
        always(a.reset_after(a.H1_EXCHANGE, 0)), "", count=16, again=200_000),
    Row("resets-ws", "resets after each byte of an exchange, WebSocket",
        always(a.reset_after(a.WS_EXCHANGE, 0)), "", count=16, again=200_000,
        nginx=False),
    Row("resets-2", "resets after each byte of an exchange, HTTP/2",
        always(a.reset_after(a.h2_exchange(), 0)), "", count=16, again=200_000,
        port="http2"),
    Row("resets-tls", "resets after each byte of an exchange, TLS",
        always(a.tls_reset(900)), "", count=16, again=200_000, port="tls",
        judge=a.judge_tls),
    Row("chunks", "1,000,000 chunks of one byte",
        always(a.repeat(b"1\r\nx\r\n", 1_000_000, a.CHUNKED)), "400, closed"),
    Row("extensions", "chunks of one byte with extensions of 1 KB",
        always(a.repeat(EXTENSION, 10_000, a.CHUNKED)), "400, closed"),
    Row("extension", "one chunk extension of 1 MB",
        always(a.all_at_once(LONG_EXTENSION)), "400, closed"),
    Row("fields", "10,000 header fields",
        always(a.all_at_once(MANY_FIELDS)), "431, closed"),
    Row("field", "one header field of 1 MB",
        always(a.all_at_once(LONG_CRUMBS)), "431, closed"),
    Row("pipelined", "100,000 pipelined requests, read",
        always(a.repeat(a.request("/upload"), 100_000)), ""),
    Row("unread", "100,000 pipelined requests, not read",
        always(a.repeat(a.request(), 100_000, reads=False)), "reset",
        lasts=36, again=0, hasty="--timeout-send 1"),
]  # fmt: skip

WEBSOCKET = [
    Row("pings", "WebSocket pings, pongs read",
        socket_flood(a.ws_frame(0x89, b"p" * 8), 10_000_000), "Close 1008",
        judge=a.judge_websocket, nginx=False),
    Row("pings-unread", "WebSocket pings, pongs not read",
        socket_flood(a.ws_frame(0x89, b"p" * 125), 10_000_000, reads=False),
        "reset|1008", judge=a.judge_websocket, nginx=False, lasts=14,
        hasty="--ws-close-timeout 1"),
    Row("fragments", "endless empty WebSocket fragments",
        socket_flood(a.ws_frame(0x00), 10_000_000, "/sink", first=a.ws_frame(0x01)),
        "Close 1008",
        judge=a.judge_websocket, nginx=False),
    Row("bombs", "WebSocket messages of 250 KB that inflate to 256 MiB",
        bombs, "Close 1009", judge=a.judge_websocket, nginx=False),
    Row("deaf", "WebSocket clients that do not read a broadcast",
        always(a.upgraded(a.UPGRADE, "/subscribe", a.read_slowly(b"", 0, 0.5))),
        "reset", count=200, short=50, again=0, lasts=36, small=4096,
        judge=a.judge_websocket, nginx=False, hasty="--timeout-send 1"),
]  # fmt: skip

TLS = [
    Row("hellos", "TLS handshakes that end after the server has signed",
        always(a.greet), "", count=16, again=200_000, port="tls",
        judge=a.judge_tls),
    Row("stalled-hellos", "TLS handshakes that stall within the hello",
        always(a.drip(b"\x16\x03\x01\x02\x00", b"\x01", 1.0)), "closed|reset",
        count=2000, short=200, again=0, lasts=14, port="tls", judge=a.judge_tls,
        hasty="--timeout-handshake 1"),
    Row("records", "TLS records of one byte",
        always(a.small_records(b"x", 2000)), "", port="tls", judge=a.judge_tls),
    Row("empty-fragments", "TLS records of an unknown type",
        always(a.repeat(b"\x18\x03\x03\x00\x01x", 100_000)), "closed|reset",
        port="tls", judge=a.judge_tls),
]  # fmt: skip

HTTP2 = [
    Row("rapid-reset", "rapid reset: 100,000 requests, each reset at once",
        h2_streams(reset_pair("/"), 100_000), CALM),
    Row("rapid-reset-slow", "the same with requests that take 0.2 s",
        h2_streams(reset_pair("/slow"), 100_000), CALM, judged=False, nginx=False),
    Row("made-resets", "100,000 resets that the server is made to send",
        h2_streams(lambda s: h2.headers(s, h2.get_of("/"))
                   + h2.window_update(s, 0x7FFFFFFF), 100_000), CALM),
    Row("refused", "100,000 streams at once",
        h2_streams(lambda s: h2.headers(s, h2.get_of("/slow")), 100_000),
        "GOAWAY|reset"),
    Row("continuation", "endless CONTINUATION",
        h2_flood(h2.frame(h2.CONTINUATION, 0, 1), 1_000_000,
                 h2.headers(1, flags=0)), CALM),
    Row("settings", "SETTINGS, replies read",
        h2_flood(h2.settings((4, 65535)), 1_000_000), CALM),
    Row("settings-unread", "SETTINGS, replies not read",
        h2_flood(h2.settings((4, 65535)), 10_000_000, reads=False),
        CALM, lasts=8, again=0, hasty="--timeout-send 1"),
    Row("h2-pings", "PING, replies read",
        h2_flood(h2.frame(h2.PING, 0, 0, b"x" * 8), 1_000_000), CALM),
    Row("h2-pings-unread", "PING, replies not read",
        h2_flood(h2.frame(h2.PING, 0, 0, b"x" * 8), 10_000_000, reads=False),
        CALM, lasts=8, again=0, hasty="--timeout-send 1"),
    Row("empty-data", "empty DATA",
        h2_flood(h2.frame(h2.DATA, 0, 1), 1_000_000,
                 h2.headers(1, h2.POST, h2.END_HEADERS)), CALM),
    Row("small-data", "DATA of one byte",
        h2_flood(h2.frame(h2.DATA, 0, 1, b"x"), 1_000_000,
                 h2.headers(1, h2.POST, h2.END_HEADERS)), "GOAWAY", must=False),
    Row("windows", "100 large responses through windows of one byte",
        always(a.window_game), "", again=0, lasts=20, count=16),
    Row("tables", "HPACK bombs: references to a field of 4 KB",
        always(a.tables), CALM),
    Row("crumbs", "HPACK bombs: 4,000 crumbs of a cookie, no window",
        always(a.crumbs), ""),
    Row("priorities", "PRIORITY of idle streams",
        h2_flood(h2.frame(h2.PRIORITY, 0, 1001, b"\0\0\0\0\x10"), 1_000_000), CALM),
    Row("window-updates", "WINDOW_UPDATE of one byte",
        h2_flood(h2.window_update(0, 1), 1_000_000), CALM),
]  # fmt: skip

for row in HTTP2:
    row.port, row.judge = "http2", a.judge_http2

OVERLOAD = "H3_EXCESSIVE_LOAD"

HTTP3 = [
    Row("initials", "QUIC: first packets of 2,000 clients that do not exist",
        always(q.first_packets), "", judged_h3=False),
    Row("initials-retry", "the same, and all clients must prove their address",
        always(q.first_packets), "", options="--h3-retry-from 0"),
    Row("initials-open", "the same, and no client must prove its address",
        always(q.first_packets), "", options="--h3-retry-from 1000000",
        judged_h3=False),
    Row("tiny", "QUIC: datagrams of up to 40 bytes, and first packets that are short",
        always(q.tiny_packets), ""),
    Row("vanish", "QUIC: clients that disappear after the handshake",
        always(q.VANISHING), "", again=2000),
    Row("h3-ids", "QUIC: connection IDs that retire all earlier ones",
        always(q.NEW_IDS), "LIMIT|VIOLATION", must=False),
    Row("h3-paths", "QUIC: PATH_CHALLENGE",
        always(q.CHALLENGES), OVERLOAD, must=False),
    Row("h3-max-data", "QUIC: MAX_DATA",
        always(q.WINDOWS), OVERLOAD, must=False),
    Row("h3-empty-streams", "QUIC: STREAM frames without a byte",
        always(q.EMPTY_STREAMS), OVERLOAD, must=False),
    Row("h3-resets", "HTTP/3 rapid reset: requests, each reset at once",
        always(q.RAPID_RESET), OVERLOAD, again=50, lasts=6, must=False),
    Row("h3-fields", "HTTP/3: heads of 50,000 fields, two bytes each",
        always(q.FIELD_BOMB), OVERLOAD),
    Row("h3-empty-data", "HTTP/3: empty DATA",
        always(q.EMPTY_FRAMES), OVERLOAD, must=False),
    Row("h3-optimists", "QUIC: acknowledgements of packets that were not received",
        always(q.OPTIMIST), "VIOLATION"),
    Row("h3-readers", "HTTP/3: readers of 100 MiB through windows of 2 KiB",
        always(q.SLOW_READER), "", count=50, short=20, again=0, lasts=15),
]  # fmt: skip

for row in HTTP3:
    row.port, row.nginx = "quic", False
    row.options = row.hasty = f"--http3 {row.options}".strip()

ROWS = HTTP1 + WEBSOCKET + TLS + HTTP2 + HTTP3

LEFT_OUT_SHORT = set(
    "resets-ws extensions extension field empty-fragments made-resets refused settings"
    " h2-pings priorities window-updates crumbs initials-retry initials-open vanish"
    " h3-max-data h3-empty-streams h3-empty-data h3-readers".split()
)
"""Rows that are much like another row."""

for row in ROWS:
    if row.name in LEFT_OUT_SHORT or row.name.startswith("resets-"):
        row.nginx = False
