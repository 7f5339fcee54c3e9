"""Finds the process that has a TCP port, for the error if it is in use."""

from __future__ import annotations

import os

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTENS = "0A"


def port_user(port: int) -> str:
    """Return the owner of a local port, as "python3, pid 4711"; "" if it is unknown.

    If no process listens on the port, one that has a connection from it is returned.
    """
    listening, others = _inodes(port)
    for inodes, how in ((listening, ""), (others, "an outgoing connection of ")):
        if inodes and (found := _owner(inodes)):
            return how + found
    return ""


def _inodes(port: int) -> tuple[set[str], set[str]]:
    """Return the sockets that listen on ``port``, and the others that use it."""
    listening: set[str] = set()
    others: set[str] = set()
    for path in _TABLES:
        try:
            with open(path, encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        for row in rows:
            if int(row[1].rpartition(":")[2], 16) == port:
                (listening if row[3] == _LISTENS else others).add(row[9])
    return listening, others - {"0"}


def _owner(inodes: set[str]) -> str:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") in wanted:
                    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                        return f"{file.read().strip()}, pid {pid}"
        except OSError:
            continue
    return ""
