"""Information about a process: its memory, and the CPUs that it may use."""

from __future__ import annotations

import os

from bolide.system.fallbacks import usable_cpus


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 if it has ended."""
    try:
        # Bytes: a process that has changed its user may not be able to load a codec.
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def cpu_count(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int:
    """Return how many CPUs this process may use, by its affinity and cgroup's quota.

    ``root`` is where cgroups are mounted, ``own`` the file that names this process's.
    """
    usable = usable_cpus()
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
    """Return the folders whose quotas apply to this process: its own and all above."""
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
