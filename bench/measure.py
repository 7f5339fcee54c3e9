"""Measures a process tree from /proc, and runs a load: wrk, h2load or our own."""

import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
LOADS = Path(__file__).parent.parent / "build"
"""The folder of our own load generators."""
HTTP3 = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "bolide-http3")
"""The folder that ``make http3-tools`` fills."""
TCP = Path("/proc/sys/net/ipv4")
DEADLINE_S = 60
"""The longest time for a load: a server that stops answering has failed."""
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


@dataclass
class Run:
    """The result of one run of a load."""

    requests: int
    rate: float
    """Requests per second."""
    p50: float
    """Milliseconds; for an h2load without a median, the mean."""
    p99: float
    """Milliseconds."""
    user: float = 0.0
    """Microseconds per request that the server's processes spent in user space."""
    kernel: float = 0.0
    """Microseconds per request that they spent in the kernel."""
    rss: float = 0.0
    """MiB of the server's processes, after the load."""
    errors: str = ""

    @property
    def cpu(self):
        """Microseconds of the server's processes per request, in total."""
        return self.user + self.kernel


def congestion_control():
    """Return what TCP uses: CUBIC if the kernel has it; see congestion.c."""
    default = (TCP / "tcp_congestion_control").read_text().strip()
    available = (TCP / "tcp_available_congestion_control").read_text().split()
    return "cubic" if "cubic" in available else default


def use_cubic():
    """Let all servers and clients that are started use CUBIC, if there is one."""
    if congestion_control() == "cubic":
        os.environ["LD_PRELOAD"] = str(LOADS / "congestion.so")


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


def rss_bytes(pid, which="VmRSS"):
    """Return the resident memory of the process tree; with VmHWM, its maximum."""
    total = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/status") as status:
                found = re.search(rf"{which}:\s+(\d+)", status.read())
            total += int(found.group(1)) * 1024 if found else 0
        except OSError:
            continue
    return total


def wait_for_port(port, process, deadline_s=30.0):
    """Return how many seconds it took until the port accepted a connection."""
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


def command_of_h2(port, work, seconds):
    """Return h2load's command."""
    command = [HTTP3 / "h2load", "--h3"] if work.http3 else ["h2load"]
    command += ["-t1", f"-c{work.connections}", f"-m{work.streams}"]
    command += [f"-n{work.requests}" if work.requests else f"-D{seconds}"]
    scheme = "https" if work.tls else "http"
    return [*map(str, command), f"{scheme}://127.0.0.1:{port}{work.path}"]


def output_of(command):
    """Return what a load prints; raise a SubprocessError if it fails or hangs."""
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=DEADLINE_S
    )
    return run.stdout


def client_of_h2(port, work, seconds, core):
    """Run h2load on its core; return its result."""
    command = ["taskset", "-c", core, *command_of_h2(port, work, seconds)]
    out = output_of(command)
    answered = int(re.search(r"status codes: (\d+) 2xx", out).group(1))
    newer = re.search(r"^request +:(.*)", out, re.M)  # min, max, median, p95, p99
    older = re.search(r"time for request:(.*)", out)  # min, max, mean
    times = (newer or older).group(1).split()
    bad = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", out)
    took = float(milliseconds(re.search(r"finished in ([\w.]+)", out).group(1))) / 1000
    return Run(
        requests=answered,
        rate=answered / (took if work.requests else seconds),
        p50=milliseconds(times[2]),
        p99=milliseconds(times[4]) if newer else 0.0,
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
    """Run the client on its core; return its result."""
    if work.streams:
        return client_of_h2(port, work, seconds, core)
    command = ["taskset", "-c", core, *command_of(port, work, seconds)]
    out = output_of(command)
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
    """Load the server, and return the results of both sides."""
    before = cpu_seconds(process.pid)
    run = client(port, work, work.seconds or seconds, core)
    spent = [x - y for x, y in zip(cpu_seconds(process.pid), before, strict=True)]
    run.user, run.kernel = (x / max(run.requests, 1) * 1e6 for x in spent)
    run.rss = rss_bytes(process.pid) / 2**20
    return run
