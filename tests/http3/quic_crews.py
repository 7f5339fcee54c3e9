"""Supervisors whose workers serve HTTP/3, and clients of them."""

from aioquic.quic.events import PingAcknowledged
from crews import workers
from talking_h3 import Quic

WORKERS = 4
CONTROL_STREAM = 3
"""The first stream that bolide opens."""
GOAWAY = b"\x07"


def crew(pair, *words, count=WORKERS, target="pid", **kwargs):
    """Return a command that serves HTTP/3 in workers, which respond with their pid."""
    words = [*words, "--http3", "--timeout-keep-alive", "1", *pair.words()]
    return workers(count, target, *words, **kwargs)


def place_of(command):
    return "127.0.0.1", command.port()


class Client(Quic):
    """A client that records whether the server has requested another connection."""

    def __init__(self, place, **settings):
        super().__init__(place, **settings)
        self.is_leaving = False
        self.pings, self.acknowledged = 0, set()
        take = self.h3.handle_event

        def see(event):
            is_control = getattr(event, "stream_id", None) == CONTROL_STREAM
            if is_control and getattr(event, "data", b"").startswith(GOAWAY):
                self.is_leaving = True
            if isinstance(event, PingAcknowledged):
                self.acknowledged.add(event.uid)
            return take(event)

        self.h3.handle_event = see

    def ask_who(self):
        """Return the pid of the worker that responds."""
        return int(self.get().body)

    def move_and_wait(self):
        """Continue with another port, until the server has acknowledged a packet.

        If a client leaves each port before the acknowledgment arrives there, its
        congestion window fills up with PATH_RESPONSE frames of 1,200 bytes. It then
        sends only probes, in intervals that double (RFC 9002 6.2.1): it seems stuck.
        """
        self.move()
        self.pings += 1
        self.quic.send_ping(self.pings)
        self.until(lambda: self.pings in self.acknowledged, "an acknowledgment")

    def move(self):
        """Continue with another port."""
        self.socket.close()
        self.socket = self.new_socket()


def who(place):
    with Client(place) as client:
        return client.ask_who()
