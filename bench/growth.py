"""Shows that memory stays flat: RSS after each of five heavy loads; exits with 1 if it
grew.

usage: growth.py [SERVER]   one of servers.COMMANDS; default: bolide
"""

import socket
import subprocess
import sys

import footprint
import servers
from measure import rss_bytes
from works import Work

PORT = 17900
GIB = 1 << 30
ALLOWED_BYTES = 8 << 20
"""How much RSS may grow: a leak of 8 bytes per request is detected."""

BATCH = 1000
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % GIB
DOWNLOAD = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def many_connections(port):
    """Open 10,000 connections with one request each, and close them."""
    for client in footprint.open_idle(port, footprint.CONNECTIONS):
        client.close()


def one_connection(port):
    """Send 100,000 requests on one connection, a thousand at a time."""
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        for _ in range(100_000 // BATCH):
            client.sendall(footprint.HELLO * BATCH)
            seen = 0
            while seen < BATCH:
                seen += client.recv(1 << 20).count(b"Hello, world!")


def many_requests(port):
    """Send a million requests on 64 connections."""
    left = 1_000_000
    while left > 0:
        command = ["wrk", "-t1", "-c64", "-d5s", f"http://127.0.0.1:{port}/"]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        left -= int(out.split(" requests in")[0].split()[-1])


def upload(port):
    """Send a body of 1 GiB."""
    piece = b"x" * (1 << 20)
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(UPLOAD)
        for _ in range(GIB // len(piece)):
            client.sendall(piece)
        assert b"200 OK" in client.recv(4096)


def download(port):
    """Read a response of 1 GiB."""
    total = 0
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(DOWNLOAD)
        while piece := client.recv(1 << 20):
            total += len(piece)
    assert total > GIB


LOADS = [
    ("10,000 connections", "hello", many_connections),
    ("100,000 requests on one connection", "hello", one_connection),
    ("1,000,000 requests", "hello", many_requests),
    ("1 GiB uploaded", "count", upload),
    ("1 GiB streamed", "flood", download),
]


def main():
    """Run each load twice; after the second run RSS may not be higher than after
    the first.
    """
    name = sys.argv[1] if len(sys.argv) > 1 else "bolide"
    footprint.raise_descriptor_limit()
    worst = 0
    for index, (what, app, load) in enumerate(LOADS):
        with servers.running(name, Work(what, app), PORT + index) as process:
            load(PORT + index)
            first = rss_bytes(process.pid)
            load(PORT + index)
            second = rss_bytes(process.pid)
        worst = max(worst, second - first)
        print(
            f"{what}: RSS {first / 2**20:.1f} MiB, the second time"
            f" {second / 2**20:.1f} MiB",
            flush=True,
        )
    print(f"growth: at most {worst / 2**20:.1f} MiB")
    return worst > ALLOWED_BYTES


if __name__ == "__main__":
    sys.exit(main())
