"""Clients that leave, and what becomes of the calls that served them."""

import asyncio
import contextlib
import socket
import struct
import threading
import time

from serving import DEADLINE_S

SOON_S = 0.3
"""--timeout-disconnect of these tests."""
MUCH_LATER_S = 5 * SOON_S


class Calls:
    """What became of the calls of an application: their names, in order."""

    def __init__(self):
        self.ends = []
        self.running = 0
        self.changed = threading.Condition()

    @contextlib.contextmanager
    def watch(self):
        """Note how the block ends."""
        with self.changed:
            self.running += 1
            self.changed.notify_all()
        end = "returned"
        try:
            yield
        except BaseException as exc:
            end = type(exc).__name__
            raise
        finally:
            with self.changed:
                self.running -= 1
                self.ends.append(end)
                self.changed.notify_all()

    def wait(self, predicate, seconds=DEADLINE_S):
        """Wait until ``predicate()`` is true; return whether it is."""
        with self.changed:
            return self.changed.wait_for(predicate, seconds)


def leave(sock, way):
    """Leave as a client does."""
    if way == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def connections(serving):
    """Return how many connections the server has."""
    return serving.server._engine.connections


def has_connections(serving, n, seconds=DEADLINE_S):
    """Wait for ``n`` connections; return whether there are so many."""
    end = time.monotonic() + seconds
    while connections(serving) != n and time.monotonic() < end:
        time.sleep(0.01)
    return connections(serving) == n


async def forever():
    """Wait for what never comes."""
    await asyncio.Event().wait()


async def until(event):
    """Wait for a threading.Event, without a thread that would outlive a test."""
    while not event.is_set():
        await asyncio.sleep(0.01)
