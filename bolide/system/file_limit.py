"""How many connections fit into the limit of open files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource

_RESERVE_LOWEST = 64
_RESERVE_PART = 8
_EXTRA_MOST = 64
_MOST = 1 << 20
"""The soft limit to set if the hard limit is unlimited (fs.nr_open)."""


def raise_limit() -> int:
    """Raise the soft limit of open files to the hard one; return the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if soft == resource.RLIM_INFINITY else soft


def grow_table(connections: int, files: int) -> None:
    """Make the kernel allocate its table for as many descriptors as may be open.

    It doubles the table when a descriptor needs it. In a process with threads it then
    waits for 10 ms or more until the old table is unused. That would block the event
    loop whenever the number of clients reaches a new maximum.
    """
    most = min(files, connections + extra_of(connections) + reserve_of(files))
    with contextlib.suppress(OSError):
        fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            os.close(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, most - 1))
        os.close(fd)


def reserve_of(files: int) -> int:
    """Return how many of ``files`` are reserved for the application and the server."""
    return max(_RESERVE_LOWEST, files // _RESERVE_PART)


def extra_of(connections: int) -> int:
    """Return how many connections over ``connections`` may be open to be rejected."""
    return min(_EXTRA_MOST, 16 + connections // 8)


def most_connections(wanted: int, files: int) -> int:
    """Return how many connections there may be, at most ``wanted``."""
    room = files - reserve_of(files)
    return max(1, min(wanted, room - extra_of(room)))
