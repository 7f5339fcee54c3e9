"""A network that loses and delays packets: two namespaces, and a relay between them.

``python lossy.py LOSS DELAY_MS PROGRAM ...`` runs a program in a network namespace with
the address 10.77.0.2. This process moves to a new namespace with the address 10.77.0.1,
and passes packets between both: LOSS percent are lost, the others are delayed. It does
what netem does, for kernels without netem.
"""

import ctypes
import fcntl
import heapq
import itertools
import os
import random
import select
import socket
import struct
import subprocess
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
CLONE_NEWNET = 0x40000000


def enter_namespace(address, peer):
    """Move this process to a new network namespace; return the descriptor of its
    link.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"lossy", IFF_TUN | IFF_NO_PI))
    for words in (
        "link set lo up",
        f"addr add {address} peer {peer} dev lossy",
        "link set dev lossy up mtu 1500",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    return fd


def in_namespace(address, peer, run):
    """Fork a process that calls ``run`` in a namespace; return its pid and its link."""
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            here.close()
            socket.send_fds(there, [b"x"], [enter_namespace(address, peer)])
            there.recv(1)  # both have created their links
            os._exit(run() or 0)
        except BaseException as failure:
            print(f"{failure!r}", flush=True)
        finally:
            os._exit(99)
    there.close()
    _, fds, _, _ = socket.recv_fds(here, 1, 1)
    return pid, fds[0] if fds else None, here


class Relay:
    """Forwards packets between two links."""

    def __init__(self, links, loss, delay, seed=1):
        self.loss, self.delay = loss, delay
        self.random = random.Random(seed)
        self.other = dict(zip(links, reversed(links), strict=True))
        self.queue, self.numbers = [], itertools.count()
        self.lost = self.passed = 0

    def run(self, until):
        """Forward packets until ``until()``."""
        while not until():
            pause = 0.05
            if self.queue:
                pause = min(pause, max(0, self.queue[0][0] - time.monotonic()))
            for fd in select.select(list(self.other), [], [], pause)[0]:
                self.take(fd)
            while self.queue and self.queue[0][0] <= time.monotonic():
                _, _, fd, packet = heapq.heappop(self.queue)
                os.write(fd, packet)

    def take(self, fd):
        """Read a packet: drop it, or send it later."""
        packet = os.read(fd, 4096)
        if self.random.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        due = time.monotonic() + self.delay * (1 + 0.5 * self.random.random())
        heapq.heappush(self.queue, (due, next(self.numbers), self.other[fd], packet))
