"""Clients that disconnect, and how the calls that served them end."""

import asyncio
import contextlib
import socket
import struct
import threading
import time

from serving import DEADLINE_S

SOON_S = 0.3
"""Value of --timeout-disconnect in these tests."""
MUCH_LATER_S = 5 * SOON_S


class Calls:
    """Records how the calls of an application end: one name per event, in order."""

    def __init__(self):
        self.ends = []
        self.running = 0
        self.changed = threading.Condition()

    @contextlib.contextmanager
    def watch(self):
        """Record how the block ends."""
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
    """Disconnect in the way that ``way`` names."""
    if way == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def connections(serving):
    """Return how many connections the server has."""
    return serving.server._engine.connections


def has_connections(serving, n, seconds=DEADLINE_S):
    """Wait until the server has ``n`` connections; return whether it has."""
    end = time.monotonic() + seconds
    while connections(serving) != n and time.monotonic() < end:
        time.sleep(0.01)
    return connections(serving) == n


async def forever():
    """Wait for an event that never happens."""
    await asyncio.Event().wait()


async def until(event):
    """Wait for a threading.Event without a thread, which could outlive the test."""
    while not event.is_set():
        await asyncio.sleep(0.01)
