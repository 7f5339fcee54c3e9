"""How many connections the limit of open files has room for."""

from __future__ import annotations

import contextlib
import resource

_RESERVE_LOWEST = 64
_RESERVE_PART = 8
_EXTRA_MOST = 64
_MOST = 1 << 20
"""What a soft limit is raised to where the hard one is unlimited (fs.nr_open)."""


def raise_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if soft == resource.RLIM_INFINITY else soft


def reserve_of(files: int) -> int:
    """Return how many of ``files`` are kept for the application and the server."""
    return max(_RESERVE_LOWEST, files // _RESERVE_PART)


def extra_of(connections: int) -> int:
    """Return how many beyond ``connections`` may be open to be refused."""
    return min(_EXTRA_MOST, 16 + connections // 8)


def most_connections(wanted: int, files: int) -> int:
    """Return how many connections there may be, at most ``wanted``."""
    room = files - reserve_of(files)
    return max(1, min(wanted, room - extra_of(room)))
