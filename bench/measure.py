"""Figures of a process tree from /proc, and of a run of a load: wrk, h2load or ours."""

import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
LOADS = Path(__file__).parent.parent / "build"
"""Where our own clients are."""
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


@dataclass
class Run:
    """What one run of a load gave."""

    requests: int
    rate: float
    """Requests per second."""
    p50: float
    """Milliseconds; of h2load, which tells no median, the mean."""
    p99: float
    """Milliseconds."""
    user: float = 0.0
    """Microseconds of the server's processes per request in their own code."""
    kernel: float = 0.0
    """Microseconds per request that they spent in the kernel."""
    rss: float = 0.0
    """MiB of the server's processes, behind the load."""
    errors: str = ""

    @property
    def cpu(self):
        """Microseconds of the server's processes per request."""
        return self.user + self.kernel


def tree(pid):
    """Return the process and all its descendants."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as children:
                    todo += [int(x) for x in children.read().split()]
        except OSError:
            continue
    return found


def cpu_seconds(pid):
    """Return the user and the system time of the process tree."""
    user = kernel = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/stat") as stat:
                words = stat.read().rsplit(")", 1)[1].split()
            user, kernel = user + int(words[11]), kernel + int(words[12])
        except OSError:
            continue
    return user / TICKS_A_SECOND, kernel / TICKS_A_SECOND


def rss_bytes(pid):
    """Return the resident memory of the process tree."""
    total = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/status") as status:
                found = re.search(r"VmRSS:\s+(\d+)", status.read())
            total += int(found.group(1)) * 1024 if found else 0
        except OSError:
            continue
    return total


def wait_for_port(port, process, deadline_s=30.0):
    """Return how long it took until the port took a connection, in seconds."""
    began = time.monotonic()
    while time.monotonic() < began + deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"the server has ended: {process.args}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return time.monotonic() - began
    raise RuntimeError(f"no server on port {port}")


def milliseconds(text):
    """Return "1.50ms" as 1.5."""
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(number) * UNITS_MS[unit]


def client_of_h2(port, work, seconds, core):
    """Run h2load on its core; return its figures."""
    scheme = "https" if work.tls else "http"
    command = f"taskset -c {core} h2load -t1 -c{work.connections} -m{work.streams}"
    command += f" -D{seconds} {scheme}://127.0.0.1:{port}{work.path}"
    done = subprocess.run(command.split(), capture_output=True, text=True, check=True)
    out = done.stdout
    answered = int(re.search(r"status codes: (\d+) 2xx", out).group(1))
    found = re.search(r"time for request:\s+(.*)", out)
    mean = milliseconds(found.group(1).split()[2])
    bad = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", out)
    return Run(
        requests=answered,
        rate=answered / seconds,
        p50=mean,
        p99=0.0,
        errors=bad.group(0) if bad.groups() != ("0", "0", "0") else "",
    )


def command_of(port, work, seconds):
    """Return the command that loads a server."""
    if work.load:
        words = [LOADS / work.load[0], port, work.connections, seconds, *work.load[1:]]
        return [str(word) for word in words]
    command = ["wrk", "-t1", f"-c{work.connections}", f"-d{seconds}s", "--latency"]
    if work.script:
        command += ["-s", str(work.script)]
    scheme = "https" if work.tls else "http"
    return [*command, f"{scheme}://127.0.0.1:{port}{work.path}", "--", *work.arguments]


def client(port, work, seconds, core):
    """Run the client on its core; return its figures."""
    if work.streams:
        return client_of_h2(port, work, seconds, core)
    command = ["taskset", "-c", core, *command_of(port, work, seconds)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    p50, p99 = (
        milliseconds(found.group(1)) if found else 0.0
        for found in (re.search(rf"{p}%\s+([\d.]+[a-z]+)", out) for p in (50, 99))
    )
    return Run(
        requests=int(re.search(r"(\d+) requests in", out).group(1)),
        rate=float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
        p50=p50,
        p99=p99,
        errors=" ".join(re.findall(r"(Non-2xx.*|Socket errors.*)", out)),
    )


def load(process, port, work, seconds, core):
    """Load the server, and return the figures of both sides."""
    before = cpu_seconds(process.pid)
    run = client(port, work, seconds, core)
    spent = [x - y for x, y in zip(cpu_seconds(process.pid), before, strict=True)]
    run.user, run.kernel = (x / max(run.requests, 1) * 1e6 for x in spent)
    run.rss = rss_bytes(process.pid) / 2**20
    return run
