"""The identity of a server, for the status page and the metrics."""

from __future__ import annotations

import os
import sys
import time


def _versions(loop: str) -> dict[str, str]:
    from bolide import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    return {"version": __version__, "python": python, "loop": loop}


def as_json(app: object, loop: str, pid: int) -> bytes:
    """Return an object for the status page; ``pid`` is the process to send signals to.

    "started" is when that process began, in seconds since 1970.
    """
    import json

    system = os.uname()
    found = {
        "host": system.nodename,
        "app": app if isinstance(app, str) else "",
        **_versions(loop),
        "platform": f"{system.sysname} {system.release}",
        "pid": pid,
        "started": _started(pid),
    }
    return json.dumps(found).encode()


def status_page() -> bytes:
    """Return the status page."""
    path = os.path.join(os.path.dirname(__file__), "status_page.html")
    with open(path, "rb") as file:
        return file.read()


def as_labels(loop: str) -> bytes:
    """Return labels for a metric, in the format of Prometheus."""
    return ",".join(f'{k}="{v}"' for k, v in _versions(loop).items()).encode()


def _started(pid: int) -> int:
    """Return when a process began; the present time if that is unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/stat", "rb") as file:
            booted = next(int(x.split()[1]) for x in file if x.startswith(b"btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return int(time.time())
    return booted + ticks // os.sysconf("SC_CLK_TCK")
