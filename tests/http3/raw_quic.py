"""A client of HTTP/3 that sends any frames of QUIC, whether they are allowed or not."""

import contextlib
import select
import time

from aioquic.quic.packet import QuicPacketType, encode_long_header_first_byte
from aioquic.tls import Epoch
from talking_h3 import Quic, encode_uint_var

__all__ = ["Raw", "frame", "stream_frame"]

LONG = {
    Epoch.INITIAL: QuicPacketType.INITIAL,
    Epoch.HANDSHAKE: QuicPacketType.HANDSHAKE,
    Epoch.ZERO_RTT: QuicPacketType.ZERO_RTT,
}


def frame(kind, *parts):
    """Return a frame: its type, then ints as variable-length integers, and bytes."""
    return encode_uint_var(kind) + b"".join(
        encode_uint_var(part) if isinstance(part, int) else part for part in parts
    )


def stream_frame(number, data, offset=0, ends=False):
    """Return a STREAM frame with an offset and a length."""
    return frame(0x0E + ends, number, offset, len(data), data)


class Raw(Quic):
    """A connection whose handshake is complete, and whose streams the test handles."""

    def __init__(self, place, **settings):
        super().__init__(place, has_h3=False, **settings)

    def __enter__(self):
        self.until(lambda: self.handshake is not None, "the handshake")
        self.settle()
        return self

    def settle(self, quiet_s=0.1):
        """Continue until nothing has arrived for a while."""
        n = -1
        while n != self.counts[0]:
            n = self.counts[0]
            self.step(quiet_s)

    def packet(self, payload, epoch=Epoch.ONE_RTT, number=None, bits=0):
        """Return a packet with these frames; ``bits`` are the reserved ones."""
        quic = self.quic
        if number is None:
            number = quic._packet_number
            quic._packet_number += 1
        crypto = quic._cryptos[epoch]
        destination = quic._peer_cid.cid
        if epoch == Epoch.ONE_RTT:
            head = bytes([0x43 | bits << 3 | crypto.key_phase << 2]) + destination
        else:
            first = encode_long_header_first_byte(quic._version, LONG[epoch], 0)
            source = quic.host_cid
            head = bytes([first | 3 | bits << 2]) + quic._version.to_bytes(4, "big")
            head += bytes([len(destination)]) + destination
            head += bytes([len(source)]) + source
            head += b"\0" if epoch == Epoch.INITIAL else b""
            size = 4 + len(payload) + 16
            head += (0x4000 | size).to_bytes(2, "big")
        head += number.to_bytes(4, "big")
        return crypto.encrypt_packet(head, payload, number)

    def send(self, payload, epoch=Epoch.ONE_RTT, number=None, bits=0):
        """Send a packet with these frames."""
        with contextlib.suppress(ConnectionRefusedError):
            self.socket.send(self.packet(payload, epoch, number, bits))

    def flood(self, payloads, every=32):
        """Send a packet for each payload; read what arrives now and then.

        Returns how many were sent before the server has ended the connection.
        """
        n = 0
        for payload in payloads:
            self.send(payload)
            n += 1
            if n % every == 0:
                self.step(0)
                if self.end is not None:
                    break
        return n

    def drain(self, wait_s=0.0):
        """Throw away what arrives, and acknowledge nothing."""
        due = time.monotonic() + wait_s
        while select.select([self.socket], [], [], max(0, due - time.monotonic()))[0]:
            self.socket.recv(65536)
