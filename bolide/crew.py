"""What a supervisor knows of a worker and of the machine."""

from __future__ import annotations

import os
import signal
import socket

from bolide.record import record

STARTING, SERVING, ENDING = "starting", "serving", "ending"


@record
class Worker:
    """One worker process, from its fork until it is waited for."""

    pid: int
    seat: int
    control: socket.socket
    generation: int
    state: str = STARTING
    is_worn: bool = False
    """Whether it is to be replaced."""
    since: float = 0.0
    """When it began to serve, by the monotonic clock."""
    due: float = 0.0
    """When it is killed unless it has ended."""

    @property
    def is_ending(self) -> bool:
        """Whether it has been told to end."""
        return self.state == ENDING

    def serve(self, now: float) -> None:
        """Note that it is ready."""
        self.since = now
        if self.state == STARTING:
            self.state = SERVING

    def end(self, due: float) -> None:
        """Note that it has been told to end, until ``due``."""
        self.state = ENDING
        self.due = due


def how_it_ended(code: int) -> str:
    """Return an exit code, negative for a signal, in words."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has resident; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def cpu_count(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int:
    """Return how many CPUs this process may use, by its affinity and cgroup's quota.

    ``root`` is where cgroups are mounted, ``own`` the file that names this process's.
    """
    usable = len(os.sched_getaffinity(0))
    quota = _cgroup_quota(root, own)
    return max(1, usable if quota is None else min(usable, -int(-quota // 1)))


def _cgroup_quota(root: str, own: str) -> float | None:
    """Return the quota of this process's cgroup, version 2 or 1, in CPUs."""
    found = []
    for folder in _cgroup_folders(root, own):
        text = _read(f"{folder}/cpu.max").split()
        if not text:
            quota = _read(f"{folder}/cpu.cfs_quota_us")
            period = _read(f"{folder}/cpu.cfs_period_us")
            text = [quota.strip(), period.strip()]
        if len(text) == 2 and text[0].isdecimal() and int(text[1] or 0) > 0:
            found.append(int(text[0]) / int(text[1]))
    return min(found, default=None)


def _cgroup_folders(root: str, own: str) -> list[str]:
    """Return the folders whose quotas bind this process, its own and those above."""
    folders = [root, f"{root}/cpu", f"{root}/cpu,cpuacct"]
    for line in _read(own).splitlines():
        number, controllers, path = line.split(":", 2)
        base = root if number == "0" else f"{root}/{controllers}"
        if number == "0" or "cpu" in controllers.split(","):
            parts = [x for x in path.split("/") if x]
            folders += ["/".join([base, *parts[: i + 1]]) for i in range(len(parts))]
    return folders


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""
