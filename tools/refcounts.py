#!/usr/bin/env python3
"""Shows that no request leaks a reference, with a CPython that counts all of them.

usage: refcounts.py [REQUESTS]

Serves so many requests of each kind, and compares sys.gettotalrefcount() after a tenth
of them with that after all. Exits with 1 if it has grown by more than MARGIN.
"""

import asyncio
import gc
import socket
import sys
import warnings

import bolide

MARGIN = 300
"""References that the interpreter itself may keep."""

BATCH = 50
"""Requests that are sent at once on one connection, at most 100."""

GET = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
BAD = b"GET / HTTP/1.1\r\nBad Field: x\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcy4uLg==\r\n\r\n"
)
TEXT = b"\x81\x85\0\0\0\0hello"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"
BLOCK = b"\x82\x86\x84\x41\x01a"
"""GET http://a/ as HPACK."""

SETTINGS = {
    "lifespan": "off",
    "access_log": False,
    "log_level": "critical",
    "limit_concurrency": 1000,
}


async def app(scope, receive, send):
    """Respond according to the method; echo messages of a WebSocket."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    if scope["path"] == "/fails":
        raise RuntimeError("on purpose")
    more = True
    while more:
        more = (await receive()).get("more_body")
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain")],
        }
    )
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"hello"})


class Connection:
    """A connection of a client."""

    def __init__(self, place):
        self.place = place
        self.sock = None

    async def open(self):
        """Connect, or reconnect if necessary."""
        self.close()
        self.sock = socket.socket()
        self.sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self.sock, self.place)

    def close(self):
        """Close."""
        if self.sock is not None:
            self.sock.close()

    async def send(self, data):
        """Send."""
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def receive(self, mark, times):
        """Receive until ``mark`` was received ``times`` times, or to the end."""
        loop = asyncio.get_running_loop()
        data = b""
        while data.count(mark) < times:
            piece = await loop.sock_recv(self.sock, 1 << 18)
            if not piece:
                break
            data += piece


async def plain(connection, raw, mark):
    """Send a batch of requests on a new connection."""
    await connection.open()
    await connection.send(raw * BATCH)
    await connection.receive(mark, BATCH)


async def one_by_one(connection, raw):
    """Send requests that end their connections."""
    for _ in range(BATCH):
        await connection.open()
        await connection.send(raw)
        await connection.receive(b"\xff\xff", 1)


async def websocket(connection):
    """Send messages over one WebSocket."""
    await connection.open()
    await connection.send(UPGRADE)
    await connection.receive(b"\r\n\r\n", 1)
    await connection.send(TEXT * BATCH)
    await connection.receive(b"\x81\x05hello", BATCH)


async def http2(connection):
    """Send requests over one HTTP/2 connection."""
    await connection.open()
    data = PREFACE
    for i in range(BATCH):
        head = len(BLOCK).to_bytes(3, "big") + b"\x01\x05"
        data += head + (2 * i + 1).to_bytes(4, "big") + BLOCK
    await connection.send(data)
    await connection.receive(b"hello", BATCH)


KINDS = {
    "GET": lambda c: plain(c, GET, b"\r\nhello\r\n0\r\n"),
    "HEAD": lambda c: plain(c, HEAD, b"\r\n\r\n"),
    "POST": lambda c: plain(c, POST, b"\r\nhello\r\n0\r\n"),
    "an application that fails": lambda c: one_by_one(
        c, GET.replace(b"/a", b"/fails").replace(b"Host", b"Connection: close\r\nHost")
    ),
    "a request that is refused": lambda c: one_by_one(c, BAD),
    "a client that leaves": lambda c: plain(c, GET, b"HTTP/1.1 200 OK"),
    "WebSocket": websocket,
    "HTTP/2": http2,
}


def count():
    """Return the total of all references."""
    for _ in range(3):
        gc.collect()
    return sys.gettotalrefcount()


async def measure(name, times):
    """Return by how many references ``times`` requests of a kind increase the total."""
    server = bolide.Server(bolide.Config(app, **SETTINGS))
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    place = listener.getsockname()
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    connection = Connection(place)
    before = after = 0
    for i in range(times // BATCH):
        await KINDS[name](connection)
        if i == times // BATCH // 10:
            connection.close()
            await asyncio.sleep(0.3)
            before = count()
    connection.close()
    await asyncio.sleep(0.3)
    after = count()
    server.should_exit = True
    await task
    listener.close()
    return after - before


def main():
    """Measure all kinds."""
    if not hasattr(sys, "gettotalrefcount"):
        print("refcounts: skipped: this CPython does not count all references")
        return 0
    warnings.simplefilter("ignore")
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    failed = False
    print(f"| {times:,} of a kind | references more |\n|---|---:|")
    for name in KINDS:
        grown = asyncio.run(measure(name, times))
        print(f"| {name} | {grown} |", flush=True)
        failed |= grown > MARGIN
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
