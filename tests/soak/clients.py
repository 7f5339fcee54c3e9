"""The clients of the soak test: a mixed load at a fixed pace, in one process.

usage: clients.py PLAIN_PORT TLS_PORT SECONDS

Each line of the output is one operation: the time (CLOCK_MONOTONIC), its name, how many
ms it took, and "ok", "gone" (the server had closed an idle connection), or the error.
"""

import asyncio
import random
import ssl
import sys
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
GET_H2 = bytes.fromhex("828684410161")
UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: c2l4dGVlbiBieXRlcy4uLg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
BODY = b"b" * (256 << 10)
PATIENCE_S = 30


class Gone(Exception):
    """The server has closed a kept connection before any byte of the response."""


def get(path, more=""):
    """Return a request."""
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode()


async def response(reader, is_reused=False):
    """Read a response; return its status."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError) as failure:
        partial = getattr(failure, "partial", b"")
        if is_reused and not partial:
            raise Gone from failure
        raise
    fields = head.lower()
    if b"content-length: " in fields:
        length = int(fields.split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    elif b"transfer-encoding: chunked" in fields:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(head[9:12])


class Kept:
    """A client that keeps its connection and requests paths in turn."""

    def __init__(self, port, paths, tls=None):
        self.place = {"host": "127.0.0.1", "port": port, "ssl": tls}
        self.paths, self.writer, self.uses = paths, None, 0

    async def __call__(self):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(**self.place)
            self.uses = 0
        try:
            self.writer.write(get(random.choice(self.paths)))
            status = await response(self.reader, self.uses > 0)
            self.uses += 1
            assert status == 200, status
            if self.uses > 200:
                self.leave()
        except BaseException:
            self.leave()
            raise

    def leave(self):
        """Close the connection."""
        self.writer.close()
        self.writer = None


def once(port, text, tls=None, wanted=200):
    """Return an operation on a new connection."""

    async def run():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        try:
            writer.write(text)
            status = await response(reader)
            assert status == wanted, status
        finally:
            writer.close()

    return run


def leaves(port, text):
    """Return an operation whose client disconnects by a reset in the middle."""

    async def run():
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text)
        await asyncio.sleep(random.random() * 0.2)
        writer.transport.abort()

    return run


def websocket(port):
    """Return an operation that sends messages and disconnects, gracefully or not."""

    async def run():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(UPGRADE)
            assert await response(reader) == 101
            for n in range(20):
                writer.write(b"\x82\x84\0\0\0\0%04d" % n)
                head = await reader.readexactly(2)
                if head[0] == 0x88:
                    raise Gone
                assert await reader.readexactly(4) == b"%04d" % n
            if random.random() < 0.5:
                writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
                await reader.read()
        finally:
            writer.transport.abort()

    return run


def http2(port):
    """Return an operation of five requests over HTTP/2."""

    async def run():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(PREFACE)
            for stream in (1, 3, 5, 7, 9):
                writer.write(b"\0\0\x06\x01\x05" + stream.to_bytes(4, "big") + GET_H2)
            left = 5
            while left:
                head = await reader.readexactly(9)
                await reader.readexactly(int.from_bytes(head[:3], "big"))
                assert head[3] != 3, "a stream was reset"
                left -= head[3] in (0, 1) and head[4] & 1
        finally:
            writer.close()

    return run


def uploads(port):
    """Return the text of an upload."""
    head = f"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
    return once(port, head.encode() + BODY)


async def repeat(name, run, pause, end):
    """Repeat an operation; print the results."""
    await asyncio.sleep(random.random() * pause)
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await run()
            how = "ok"
        except Gone:
            how = "gone"
        except Exception as failure:
            how = f"{type(failure).__name__} {failure}".replace("\n", " ")
        now = time.monotonic()
        print(f"{now:.3f} {name} {(now - began) * 1e3:.3f} {how}")
        await asyncio.sleep(max(0, began + pause * (0.5 + random.random()) - now))


async def main(plain, secure, seconds):
    """Run all clients."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    paths = ["/", "/fastapi/items/7", "/starlette/", "/"]
    works = [
        *[("kept", Kept(plain, paths), 0.02) for _ in range(4)],
        *[("tls", Kept(secure, ["/"], tls), 0.05) for _ in range(2)],
        ("new", once(plain, get("/", "Connection: close\r\n")), 0.02),
        ("handshake", once(secure, get("/", "Connection: close\r\n"), tls), 0.1),
        ("stream", once(plain, get("/stream")), 2.0),
        *[("leave", leaves(plain, get("/stream")), 0.1) for _ in range(2)],
        ("leave", leaves(plain, b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-"), 0.1),
        ("upload", uploads(plain), 0.1),
        ("websocket", websocket(plain), 0.1),
        ("http2", http2(plain), 0.05),
    ]
    end = time.monotonic() + seconds
    await asyncio.gather(*(repeat(*work, end) for work in works))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
