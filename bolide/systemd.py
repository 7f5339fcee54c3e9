"""systemd: socket activation, and notifications about the state of the service."""

from __future__ import annotations

import contextlib
import os
import socket
import time

_FIRST_FD = 3
_SEND_S = 1.0
"""How long to wait for room in the service manager's queue."""


def listen_fds() -> list[tuple[str, int]]:
    """Return name and descriptor of each socket that was passed to this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = os.environ.get("LISTEN_FDS", "")
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    if not count.isdecimal():
        return []
    names += [""] * int(count)
    return [(names[i], _FIRST_FD + i) for i in range(int(count))]


class Notifier:
    """Notifies the service manager of the state; does nothing without one.

    The protocol is that of sd_notify(3).
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        usec = os.environ.get("WATCHDOG_USEC", "")
        pid = os.environ.get("WATCHDOG_PID", str(os.getpid()))
        is_watched = (
            bool(self._address) and usec.isdecimal() and pid == str(os.getpid())
        )
        self.watchdog_s = int(usec) / 2e6 if is_watched else 0.0
        """How often ``watchdog`` must be called, in seconds; 0: not at all."""

    def ready(self) -> None:
        """Report that it serves, after its start or a reload."""
        self._send(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """Report that it loads new settings."""
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={usec}")

    def stopping(self) -> None:
        """Report that it has begun to stop."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Report that it is alive."""
        self._send("WATCHDOG=1")

    def main_pid(self, pid: int) -> None:
        """Report that another process takes over."""
        self._send(f"MAINPID={pid}")

    def _send(self, text: str) -> None:
        if not self._address or self._pid != os.getpid():
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
        ):
            sock.settimeout(_SEND_S)
            sock.sendto(text.encode(), address)
