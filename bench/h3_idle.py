"""The cost of an idle HTTP/3 connection: RSS of each server with 2,000 of them."""

import subprocess
import time

import footprint
import servers
from measure import HTTP3, cpu_seconds, rss_bytes
from works import WORKS

CONNECTIONS = 2_000
AT_ONCE = 500
"""More simultaneous handshakes would measure their memory, and not that of idle
connections.
"""
WORK = WORKS["h3single"]
DEADLINE_S = 120


def open_idle(port, count):
    """Start an h2load that holds connections after one request each."""
    command = [HTTP3 / "h2load", "--h3", "-t1", f"-c{count}", "-m1", "-D600"]
    command += ["--rps=0.001", f"https://127.0.0.1:{port}/"]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)


def wait_until_idle(process):
    """Wait until the server has used less than 5 % of a core for a second."""
    end = time.monotonic() + DEADLINE_S
    spent = 1.0
    while spent >= 0.05:
        if time.monotonic() > end:
            raise RuntimeError("it does not become idle")
        before = sum(cpu_seconds(process.pid))
        time.sleep(1)
        spent = sum(cpu_seconds(process.pid)) - before


def held_bytes(process, port, count):
    """Return the RSS of the server while so many connections are open."""
    clients = []
    try:
        for n in range(0, count, AT_ONCE):
            clients.append(open_idle(port, min(AT_ONCE, count - n)))
            wait_until_idle(process)
        if any(client.poll() is not None for client in clients):
            raise RuntimeError("h2load has ended")
        return rss_bytes(process.pid)
    finally:
        for client in clients:
            client.terminate()
            client.wait()


def line_of(name, port):
    """Return one row of the table."""
    with servers.running(name, WORK, port) as process:
        base = held_bytes(process, port, 20)
        each = (held_bytes(process, port, CONNECTIONS) - base) / CONNECTIONS
    return f"| {name} | {each:,.0f} |"


def lines(names, ports):
    """Return the table."""
    footprint.raise_descriptor_limit()
    found = [
        f"| server | bytes an idle HTTP/3 connection ({CONNECTIONS:,}) |",
        "|---|---:|",
    ]
    found += footprint.rows(names, ports, line_of, WORK)
    return found
