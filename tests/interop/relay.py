"""A UDP relay between a client and a server, which loses, changes or delays packets, or
continues from another port or address, as a NAT does.
"""

import heapq
import random
import select
import socket
import threading
import time


class Weather:
    """What happens to the packets of one run; a subclass changes some of it."""

    delay_s = 0.0
    """The time that each packet takes."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)

    def treat(self, is_from_client, number, data):
        """Return the packet as it arrives, or None if it is lost.

        ``number`` counts the packets in that direction, from 1.
        """
        return data

    def moves(self, number):
        """Return the local address to continue from, before a packet of the client."""
        return None


class Loss(Weather):
    """Loses packets at random."""

    def __init__(self, share):
        super().__init__()
        self.share = share

    def treat(self, is_from_client, number, data):
        return None if self.random.random() < self.share else data


class Corruption(Loss):
    """Changes a byte of packets at random."""

    def treat(self, is_from_client, number, data):
        if self.random.random() >= self.share:
            return data
        at = self.random.randrange(len(data))
        changed = data[at] ^ self.random.randrange(1, 256)
        return data[:at] + bytes([changed]) + data[at + 1 :]


class LongWay(Weather):
    """Each packet takes 0.4 s."""

    delay_s = 0.4


class BlackHole(Weather):
    """Loses everything for two seconds, from the thirtieth packet of the server on."""

    def __init__(self):
        super().__init__()
        self.end = None

    def treat(self, is_from_client, number, data):
        if self.end is None and not is_from_client and number == 30:
            self.end = time.monotonic() + 2
        return None if self.end is not None and time.monotonic() < self.end else data


class Rebinding(Weather):
    """Continues from another port, or also another address, now and then."""

    def __init__(self, is_other_host):
        super().__init__()
        self.is_other_host = is_other_host
        self.count = 0

    def moves(self, number):
        if number % 40 != 20 or self.count == 5:
            return None
        self.count += 1
        return f"127.0.0.{2 + self.count}" if self.is_other_host else "127.0.0.1"


class Silence(Weather):
    """Loses what the client sends after its first flight, for a second.

    Counts the bytes that the server sends for those that have reached it. The first
    flight has ended when the server sends more than an acknowledgment.
    """

    def __init__(self):
        super().__init__()
        self.end = None
        self.received = self.sent = 0

    def treat(self, is_from_client, number, data):
        if self.end is not None and time.monotonic() >= self.end:
            return data
        if not is_from_client:
            self.sent += len(data)
            if self.end is None and len(data) > 1000:
                self.end = time.monotonic() + 1
            return data
        if self.end is not None:
            return None
        self.received += len(data)
        return data


class Relay:
    """Passes packets between clients and ``server`` within a block."""

    def __init__(self, server, weather):
        self.server, self.weather = server, weather
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.place = self.front.getsockname()
        self.backs = {}
        self.counts = [0, 0]
        self.waiting = []
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        for sock in (self.front, *self.backs.values()):
            sock.close()

    def new_back(self, host):
        """Return a socket for a client, with its own port."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((host, 0))
        sock.connect(self.server)
        return sock

    def put(self, is_from_client, client, data):
        """Take a packet, which is sent later, or lost."""
        self.counts[is_from_client] += 1
        data = self.weather.treat(is_from_client, self.counts[is_from_client], data)
        if data is not None:
            due = time.monotonic() + self.weather.delay_s
            self.waiting.append((due, is_from_client, client, data))
            if len(self.waiting) > 1:
                heapq.heapify(self.waiting)

    def send_due(self):
        """Send the packets that have taken their time; return until the next one."""
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, is_from_client, client, data = heapq.heappop(self.waiting)
            try:
                if is_from_client:
                    self.backs[client].send(data)
                else:
                    self.front.sendto(data, client)
            except OSError:
                continue  # nobody listens there any more
        if not self.waiting:
            return 0.05
        return min(0.05, max(0, self.waiting[0][0] - time.monotonic()))

    def run(self):
        while not self.ends.is_set():
            socks = [self.front, *self.backs.values()]
            for sock in select.select(socks, [], [], self.send_due())[0]:
                try:
                    self.read(sock)
                except OSError:
                    continue

    def read(self, sock):
        """Take a packet from a socket."""
        if sock is not self.front:
            for client, back in self.backs.items():
                if back is sock:
                    self.put(False, client, sock.recv(65536))
                    break
            return
        data, client = sock.recvfrom(65536)
        host = self.weather.moves(self.counts[True] + 1)
        if client not in self.backs or host is not None:
            if client in self.backs:
                self.backs[client].close()
            self.backs[client] = self.new_back(host or "127.0.0.1")
        self.put(True, client, data)
