"""Hostile clients of QUIC, and what they send.

A flood of packets has no connections: ``packets`` returns what is sent, from many
addresses whose owners do not read. Every other attack is a generator that gets a
connection whose handshake is complete, and yields after each part; it ends when the
server has closed the connection.
"""

import logging
import os
import random
import socket
import sys
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]
for folder in ("asgi", "http2", "tls", "http3"):
    sys.path.append(str(TESTS / folder))

from aioquic.quic.connection import QuicConnection  # noqa: E402
from aioquic.tls import Epoch  # noqa: E402
from quic_client import configuration  # noqa: E402
from raw_quic import Raw, frame, stream_frame  # noqa: E402
from talking_h3 import Quic  # noqa: E402

logging.disable()

CODES = {
    0x02: "CONNECTION_REFUSED", 0x03: "FLOW_CONTROL_ERROR", 0x04: "STREAM_LIMIT_ERROR",
    0x09: "CONNECTION_ID_LIMIT_ERROR", 0x0A: "PROTOCOL_VIOLATION",
    0x100: "H3_NO_ERROR", 0x102: "H3_INTERNAL_ERROR", 0x107: "H3_EXCESSIVE_LOAD",
}  # fmt: skip

ADDRESSES = 64
DISTINCT = 2000
"""First packets that are prepared."""


def first_packets(count=DISTINCT):
    """Return first packets of different clients."""
    found = []
    for _ in range(count):
        quic = QuicConnection(configuration=configuration())
        quic.connect(("127.0.0.1", 1), 0.0)
        found.append(quic.datagrams_to_send(0.0)[0][0])
    return found


def tiny_packets():
    """Return datagrams of up to 40 bytes, and first packets that are too short."""
    (first,) = first_packets(1)
    found = [os.urandom(1 + i % 40) for i in range(500)]
    return found + [first[: 1 + i * 2] for i in range(500)]


class Flood:
    """Sends packets from many addresses that nobody reads."""

    def __init__(self, port, packets):
        self.place = ("127.0.0.1", port)
        self.packets = packets()
        self.socks = []
        for _ in range(ADDRESSES):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((f"127.{random.randrange(1, 250)}.{random.randrange(250)}.9", 0))
            self.socks.append(sock)
        self.opened = self.most = self.sent = 0
        self.cuts, self.first_cut, self.last_cut = Counter(), None, None

    def run(self, until):
        """Send until the given time; return 0: nothing stays open."""
        n = 0
        while time.monotonic() < until:
            packet = self.packets[n % len(self.packets)]
            self.socks[n % ADDRESSES].sendto(packet, self.place)
            n += 1
            self.sent += len(packet)
            if n % 50 == 0:
                time.sleep(0.001)
        self.opened += n
        self.most = max(self.most, n)
        return 0


class Crowd:
    """So many connections, each driven by a generator, one after the other."""

    def __init__(self, port, attack, count, again):
        self.place, self.attack = ("127.0.0.1", port), attack
        self.count, self.left = count, count + again
        self.opened = self.most = self.sent = 0
        self.cuts, self.first_cut, self.last_cut = Counter(), None, None
        self.peers = []
        self.gone = 0
        """Connections that the server still has."""

    def open(self):
        """Open a connection and begin its attack."""
        self.left -= 1
        self.opened += 1
        client = Quic if self.attack.speaks_h3 else Raw
        peer = client(self.place, **self.attack.settings)
        try:
            peer.until(lambda: peer.handshake is not None, "the handshake")
        except AssertionError:
            self.cuts["not opened"] += 1
            return
        peer.began = time.monotonic()
        self.peers.append((peer, self.attack.script(peer)))
        self.most = max(self.most, len(self.peers) + self.gone)

    def go_on(self, peer, script):
        """Continue an attack; return whether it continues."""
        try:
            return next(script, self) is not self and peer.end is None
        except AssertionError:  # aioquic has dropped its keys: the server has closed it
            peer.take()
            return False

    def note(self, peer):
        """Count a connection that the server has closed."""
        code = getattr(peer.end, "error_code", None)
        after = time.monotonic() - peer.began
        self.cuts[CODES.get(code, f"{code:#x}" if code is not None else "refused")] += 1
        self.first_cut = min(after, self.first_cut or after)
        self.last_cut = max(after, self.last_cut or after)

    def run(self, until):
        """Attack until the given time, then disappear; return how many are open."""
        while time.monotonic() < until:
            if len(self.peers) < self.count and self.left > 0:
                self.open()
            for peer, script in list(self.peers):
                if not self.go_on(peer, script):
                    self.peers.remove((peer, script))
                    if peer.end is not None:
                        self.note(peer)
                    self.gone += peer.end is None
                    peer.socket.close()
            if not self.peers:
                time.sleep(0.01)
        held = len(self.peers)
        for peer, _ in self.peers:
            peer.socket.close()
        self.peers.clear()
        return held


class Attack:
    """A generator of a connection, and the settings of its client."""

    def __init__(self, script, speaks_h3=False, **settings):
        self.script, self.speaks_h3, self.settings = script, speaks_h3, settings


def repeat(payload, every=16):
    """Return a script that sends packets with the same frames."""

    def script(raw):
        while raw.end is None:
            raw.flood([payload] * every)
            raw.step(0)
            yield

    return Attack(script)


def numbered(payload, every=16):
    """Return a script that sends ``payload(n)`` with growing n."""

    def script(raw):
        n = 0
        while raw.end is None:
            for _ in range(every):
                raw.send(payload(n))
                n += 1
            raw.step(0)
            yield

    return Attack(script)


def new_id(n):
    """Return a NEW_CONNECTION_ID that retires all earlier ones."""
    cid = (n + 10).to_bytes(8, "big")
    return frame(0x18, n + 4, n + 4, b"\x08", cid, cid * 2)


LINES = b"\xd1\xd7\xc1\x50\x01a"
"""GET, https, /, :authority a."""


def gives_up(quic):
    """Send requests, and reset each at once."""
    while quic.end is None:
        for _ in range(16):
            number = quic.ask("/slow", "POST")
            quic.quic.reset_stream(number, 0x10C)
            quic.quic.stop_stream(number, 0x10C)
        quic.step(0)
        yield


def fields(raw):
    """Send heads with 50,000 references to the static table."""
    block = LINES + b"\xff\x16" * 50_000
    while raw.end is None:
        number = raw.quic.get_next_available_stream_id()
        raw.quic.send_stream_data(
            number, frame(1, 2 + len(block), b"\0\0", block), True
        )
        while raw.end is None and not raw.quic._streams[number].sender.buffer_is_empty:
            raw.step(0.002)
            yield
        yield


def frames(raw):
    """Send empty DATA frames in a request."""
    number = raw.quic.get_next_available_stream_id()
    lines = b"\xd4" + LINES[1:]
    raw.quic.send_stream_data(number, frame(1, 2 + len(lines), b"\0\0", lines))
    while raw.end is None:
        raw.quic.send_stream_data(number, b"\0\0" * 30_000)
        waits = raw.quic._streams[number].sender
        while raw.end is None and not waits.buffer_is_empty:
            raw.step(0.002)
            yield
        yield


def reads_slowly(quic):
    """Request 100 MiB through windows that open by 2 KiB ten times a second."""
    quic.ask("/big")
    while quic.end is None:
        due = time.monotonic() + 0.1
        while time.monotonic() < due:
            quic.step(0)
            yield
        quic.quic.send_ping(1)


def acknowledges_early(quic):
    """Acknowledge packets that were not received."""
    number = quic.ask("/big")
    while quic.end is None and not quic.stream(number).body:
        quic.step(0)
        yield
    while quic.end is None:
        space = quic.quic._spaces[Epoch.ONE_RTT]
        space.ack_queue.add(0, space.largest_received_packet + 50)
        space.ack_at = 0
        quic.quic.send_ping(1)
        quic.step(0)
        yield


def vanishes(quic):
    """Disappear after the handshake."""
    if quic.end is None:
        quic.step(0)
        return
    yield


CHALLENGES = repeat(frame(0x1A, b"datadata") * 100)
WINDOWS = repeat(frame(0x10, 1 << 20) * 200)
EMPTY_STREAMS = repeat(stream_frame(0, b"") * 200)
NEW_IDS = numbered(new_id)
RAPID_RESET = Attack(gives_up, True)
VANISHING = Attack(vanishes)
SLOW_READER = Attack(reads_slowly, True, max_data=65536, max_stream_data=2048)
OPTIMIST = Attack(acknowledges_early, True)
EMPTY_FRAMES = Attack(frames)
FIELD_BOMB = Attack(fields)
