"""The cost of an idle server: memory, idle connections, and the time to start."""

import functools
import resource
import socket
import subprocess
import sys
import time

import servers
from measure import cpu_seconds, rss_bytes, wait_for_port
from works import WORKS

CONNECTIONS = 10_000
HELLO = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PLAIN = "import asyncio, time; print(flush=True); time.sleep(60)"


def raise_descriptor_limit():
    """Raise the descriptor limit of this process and its children to the maximum."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def plain_python_bytes():
    """Return the RSS of a Python process that has imported asyncio."""
    with subprocess.Popen(
        [sys.executable, "-c", PLAIN], stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        rss = rss_bytes(process.pid)
        process.kill()
    return rss


def open_idle(port, count):
    """Return ``n`` connections, each of which has received one response."""
    held = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), 5)
        client.sendall(HELLO)
        client.recv(4096)
        held.append(client)
    return held


def line_of(name, port, plain):
    """Return one row of the table."""
    began = time.monotonic()
    with servers.running(name, WORKS["hello"], port) as process:
        ready = time.monotonic() - began
        wait_for_port(port, process)
        open_idle(port, 1)[0].close()
        base = rss_bytes(process.pid)
        held = open_idle(port, CONNECTIONS)
        each = (rss_bytes(process.pid) - base) / CONNECTIONS
        before = sum(cpu_seconds(process.pid))
        time.sleep(3)
        idle = (sum(cpu_seconds(process.pid)) - before) / 3 * 100
        for client in held:
            client.close()
    return (
        f"| {name} | {ready:.2f} | {base / 2**20:.1f} | {base / plain:.2f} |"
        f" {each:.0f} | {idle:.1f} |"
    )


def rows(names, ports, line_of, work=None, failed="| {} | {} |"):
    """Yield the row of each server, except bolide's variants, that supports ``work``;
    ``failed`` with its name and the reason if it cannot be measured.
    """
    for name in names:
        if name.startswith("bolide/") or (work and not servers.can(name, work)):
            continue
        try:
            yield line_of(name, next(ports))
        except (OSError, RuntimeError) as problem:
            yield failed.format(name, problem)


def lines(names, ports):
    """Return the table of the costs of idle servers."""
    raise_descriptor_limit()
    plain = plain_python_bytes()
    found = [
        "| server | ready after s | RSS MiB | to plain Python with asyncio |"
        f" bytes an idle connection ({CONNECTIONS:,}) | CPU % then |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    measure = functools.partial(line_of, plain=plain)
    found += rows(names, ports, measure, failed="| {} | | | | {} | |")
    return found
