"""Many hostile connections in one process: a scheduler of generators over epoll.

A generator gets its Peer and yields what it waits for: bytes are sent, a number is a
pause in seconds, DATA waits for bytes and returns them, HELD does nothing any more.
When it returns, its connection is reset.
"""

import errno
import heapq
import itertools
import select
import socket
import struct
import time
from collections import Counter

DATA, HELD = object(), object()
RESET = struct.pack("ii", 1, 0)
READ_BYTES = 1 << 18
KEPT_BYTES = 512
GOOD = select.EPOLLIN | select.EPOLLRDHUP


class Peer:
    """One connection to the server, driven by a generator."""

    reads = True
    """Whether what the server sends is read at once; a generator may change it."""

    def __init__(self, swarm, script, small):
        self.swarm, self.began = swarm, time.monotonic()
        self.sock = socket.socket()
        if small:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, small)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.first = self.last = b""
        self.waits = None
        self.pending = memoryview(b"")
        self.nsent = self.nread = 0
        self.mask = 0
        self.open = False
        self.script = script(self)
        code = self.sock.connect_ex(("127.0.0.1", swarm.port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, "connect")
        self.watch(select.EPOLLOUT)

    def watch(self, mask):
        """Wait for other events."""
        if mask != self.mask:
            poll, fd = self.swarm.poll, self.sock.fileno()
            (poll.modify if self.mask else poll.register)(fd, mask)
            self.mask = mask

    def go_on(self, value=None):
        """Run the next step of the generator, and further ones while they need not
        wait.
        """
        while True:
            try:
                wanted = self.script.send(value)
            except StopIteration:
                return self.leave()
            value, self.waits = None, wanted
            if isinstance(wanted, (bytes, bytearray, memoryview)):
                self.pending = memoryview(wanted)
                if not self.push():
                    return None
                continue
            if isinstance(wanted, (int, float)):
                self.swarm.later(self, time.monotonic() + wanted)
            return self.watch(self.mask_of())

    def mask_of(self):
        """Return the events to wait for now."""
        return select.EPOLLRDHUP | (select.EPOLLIN if self.reads else 0)

    def push(self):
        """Send; return whether everything was sent."""
        try:
            while self.pending:
                n = self.sock.send(self.pending)
                self.nsent += n
                self.pending = self.pending[n:]
        except BlockingIOError:
            self.watch(self.mask_of() | select.EPOLLOUT)
            return False
        except OSError:
            self.read()
            if self.waits is not None:
                self.cut("reset")
            return False
        return True

    def read(self):
        """Read what is available; at the end, record how the server has closed the
        connection.
        """
        for _ in range(4):
            try:
                data = self.sock.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                return self.cut("reset")
            if not data:
                return self.cut("closed")
            self.saw(data)
            if self.waits is DATA:
                self.go_on(data)
            if self.waits is None:
                return

    def saw(self, data):
        """Keep the first and the last bytes received."""
        self.nread += len(data)
        if len(self.first) < KEPT_BYTES:
            self.first += data[:KEPT_BYTES]
        self.last = (self.last + data[-KEPT_BYTES:])[-KEPT_BYTES:]

    def event(self, events):
        """Handle an event of epoll."""
        if not self.open:
            self.open = True
            if events & (select.EPOLLERR | select.EPOLLHUP):
                return self.cut("refused")
            return self.go_on()
        if events & select.EPOLLOUT and self.push() and self.waits is not None:
            self.go_on()
        if self.waits is not None and events & ~select.EPOLLOUT:
            self.read()
        return None

    def cut(self, how):
        """Record that the server has closed this connection."""
        told = self.swarm.judge(self)
        self.swarm.note(self, f"{told}, {how}" if told else how)
        self.leave()

    def leave(self):
        """Reset the connection."""
        self.waits = None
        self.script.close()
        if self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.swarm.peers.pop(self.sock.fileno(), None)
            self.sock.close()


class Swarm:
    """So many connections at once inside each window of time.

    ``again`` is how many more are opened in total for those that have ended.
    """

    small = 0
    """The size of the sockets' receive buffers; 0: the system's default."""

    pace = 0
    """How many connections are opened per second; 0: as fast as possible."""

    def __init__(self, port, script, count, again, judge):
        self.port, self.script, self.count = port, script, count
        self.left, self.judge = again + count, judge
        self.poll = select.epoll()
        self.peers, self.sleeping, self.numbers = {}, [], itertools.count()
        self.cuts, self.opened, self.most = Counter(), 0, 0
        self.first_cut, self.last_cut, self.sent = None, None, 0

    def note(self, peer, how):
        """Count a connection that the server has closed."""
        after = time.monotonic() - peer.began
        self.cuts[how] += 1
        self.sent += peer.nsent
        if self.first_cut is None or after < self.first_cut:
            self.first_cut = after
        if self.last_cut is None or after > self.last_cut:
            self.last_cut = after

    def later(self, peer, when):
        """Wake a peer at the given time."""
        heapq.heappush(self.sleeping, (when, next(self.numbers), peer))

    def wake(self):
        """Wake the peers whose time has come."""
        now = time.monotonic()
        for _ in range(2000):
            if not self.sleeping or self.sleeping[0][0] > now:
                break
            peer = heapq.heappop(self.sleeping)[2]
            if peer.waits is not None:
                peer.go_on()

    def fill(self, most=200):
        """Open connections until there are as many as there should be by now."""
        if self.pace:
            due = self.pace * (time.monotonic() - self.began)
            most = min(most, int(due) - self.opened)
        for _ in range(most):
            if len(self.peers) >= self.count or self.left <= 0:
                break
            self.left -= 1
            self.opened += 1
            try:
                peer = Peer(self, self.script, self.small)
            except OSError:
                self.cuts["not opened"] += 1
                break
            self.peers[peer.sock.fileno()] = peer
        self.most = max(self.most, len(self.peers))

    def run(self, until):
        """Attack until the given time, then disconnect."""
        self.began = time.monotonic()
        while time.monotonic() < until:
            self.fill()
            self.wake()
            pause = min(0.05, max(0, until - time.monotonic()))
            if self.sleeping:
                pause = min(pause, max(0, self.sleeping[0][0] - time.monotonic()))
            for fd, events in self.poll.poll(pause, 1024):
                if fd in self.peers:
                    self.peers[fd].event(events)
        held = len(self.peers)
        for peer in list(self.peers.values()):
            self.sent += peer.nsent
            peer.leave()
        self.sleeping.clear()
        return held
