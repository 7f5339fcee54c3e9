"""A QUIC connection of aioquic on a UDP socket, for the clients of tests."""

import select
import socket
import ssl
import time

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection


class Connection(H3Connection):
    """Knows that the length of a response to HEAD, or of a 304, is not its body's."""

    def _check_content_length(self, stream):
        """Leave it to the tests."""


def configuration(**settings):
    """Return aioquic's configuration of a client that trusts any certificate."""
    conf = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN)
    conf.verify_mode, conf.server_name = ssl.CERT_NONE, "localhost"
    for name, value in settings.items():
        setattr(conf, name, value)
    return conf


class QuicClient:
    """A connection to ``place``; ``handlers`` are those of aioquic's connection."""

    def __init__(self, place, conf, **handlers):
        self.place = place
        self.socket = self.new_socket()
        self.quic = QuicConnection(configuration=conf, **handlers)
        self.quic.connect(place, time.monotonic())

    def new_socket(self):
        """Return a socket with a new port."""
        family = socket.AF_INET6 if len(self.place) == 4 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.connect(self.place)
        return sock

    def loses(self, is_sent):
        """Return whether the next datagram is lost."""
        return False

    def on_refused(self):
        """Called when nobody listens at ``place``."""

    def flush(self):
        """Send the packets that are ready."""
        now = time.monotonic()
        timer = self.quic.get_timer()
        if timer is not None and timer <= now:
            self.quic.handle_timer(now)
        for data, _ in self.quic.datagrams_to_send(now):
            if self.loses(True):
                continue
            try:
                self.socket.send(data)
            except ConnectionRefusedError:
                self.on_refused()

    def wait_s(self, most_s):
        """Return for how long there is nothing to do unless a packet arrives."""
        timer = self.quic.get_timer()
        if timer is not None:
            most_s = max(0, min(most_s, timer - time.monotonic()))
        return most_s

    def receive(self, wait_s=0):
        """Read the packets that arrive within ``wait_s``, and those after them."""
        while select.select([self.socket], [], [], wait_s)[0]:
            wait_s = 0
            try:
                data = self.socket.recv(65536)
            except ConnectionRefusedError:
                self.on_refused()
                break
            if not self.loses(False):
                self.quic.receive_datagram(data, self.place, time.monotonic())
