"""Linux system calls, and their replacements on other systems."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import weakref

_ONE = (1).to_bytes(8, sys.byteorder)


class Wakeup:
    """A descriptor that one thread waits for and others write to."""

    def __init__(self) -> None:
        """Open it: an eventfd, or a pipe where there is none."""
        if hasattr(os, "eventfd"):
            self._waits = self.fd = os.eventfd(0, os.EFD_CLOEXEC)
        else:
            self._waits, self.fd = os.pipe()
            os.set_blocking(self.fd, False)  # a full pipe wakes too
            weakref.finalize(self, os.close, self._waits)
        weakref.finalize(self, os.close, self.fd)

    def wake(self) -> None:
        """Make ``wait`` return."""
        with contextlib.suppress(BlockingIOError):
            os.write(self.fd, _ONE)

    def wait(self) -> None:
        """Wait until ``wake`` was called."""
        os.read(self._waits, len(_ONE))


def message_pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected Unix sockets that preserve message boundaries."""
    # macOS has no SOCK_SEQPACKET.  Datagrams keep messages apart too.
    kind = socket.SOCK_DGRAM if sys.platform == "darwin" else socket.SOCK_SEQPACKET
    return socket.socketpair(socket.AF_UNIX, kind)


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def own_descriptors() -> list[int]:
    """Return the open descriptors of this process; none if no folder lists them."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return []
