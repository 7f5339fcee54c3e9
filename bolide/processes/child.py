"""The state that a supervisor keeps for each of its processes."""

from __future__ import annotations

import signal
import socket

STARTING, SERVING, ENDING = "starting", "serving", "ending"


class Worker:
    """One worker process, from its fork until it is reaped."""

    def __init__(
        self, pid: int, seat: int, control: socket.socket, generation: int
    ) -> None:
        self.pid = pid
        self.seat = seat
        self.control = control
        self.generation = generation
        self.quic_seat = -1
        """The seat of its UDP sockets; -1: it has none."""
        self.state = STARTING
        self.needs_replacing = False
        """Whether it is to be replaced."""
        self.since = 0.0
        """When it began to serve, by the monotonic clock."""
        self.due = 0.0
        """When it is killed if it has not ended."""

    @property
    def has_served(self) -> bool:
        """Whether it serves, or has before it was asked to end."""
        return self.since > 0

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to end."""
        return self.state == ENDING

    def serve(self, now: float) -> None:
        """Record that it is ready."""
        self.since = now
        if self.state == STARTING:
            self.state = SERVING

    def end(self, due: float) -> None:
        """Record that it was asked to end, until ``due``."""
        self.state = ENDING
        self.due = due


def how_it_ended(code: int) -> str:
    """Return a description of an exit code, which is negative for a signal."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
