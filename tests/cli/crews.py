"""Supervisors with workers, observed from outside, and load on them."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from command import DEADLINE_S, request, serve, talk

needs_wrk = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk is not installed"
)


def workers(count, target="pid", *words, **kwargs):
    return serve(target, "--workers", str(count), "--no-access-log", *words, **kwargs)


def ask(port):
    """Return the pid of the process that responds on a new connection."""
    return int(talk(port, request()).partition(b"\r\n\r\n")[2])


def pids(command):
    """Return the current workers of a command's supervisor."""
    return children(command.process.pid)


def children(pid):
    """Return the children of a process.

    The kernel leaves some out if one ends while it writes the list (proc(5)): two lists
    have to agree.
    """
    found, before = read_children(pid), None
    while found != before:
        found, before = read_children(pid), found
    return found


def read_children(pid):
    """Return the children of a process, or some of them."""
    path = f"/proc/{pid}/task/{pid}/children"
    with open(path, encoding="ascii") as file:
        return {int(x) for x in file.read().split()}


def wait_for(look, what):
    """Wait until ``look()`` is true; return its result."""
    end = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return found


def is_alive(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0] != "Z"
    return False


@contextlib.contextmanager
def successor_of(command):
    """Make another process take over from ``command``; yield its pid.

    It is killed at the end of the block.
    """
    command.process.send_signal(signal.SIGUSR2)
    line = command.err.line_with("upgrading: process ")
    pid = int(re.search(r"process (\d+)", line).group(1))
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Load:
    """Runs wrk against ``port`` until ``failed()`` or the end of its block; needs
    wrk.
    """

    def __init__(self, port):
        words = ["-t1", "-c32", "-d3600s", "--timeout", f"{DEADLINE_S}s"]
        self.process = subprocess.Popen(
            ["wrk", *words, f"http://127.0.0.1:{port}/"],
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def failed(self):
        """End it; return the failures it reports."""
        self.process.send_signal(signal.SIGINT)
        text, _ = self.process.communicate(timeout=DEADLINE_S)
        assert int(re.search(r"(\d+) requests in", text).group(1)) > 100, text
        return re.findall(r"(?:Socket errors|Non-2xx).*", text)
