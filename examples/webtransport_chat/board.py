"""A chat and the cursors of all visitors over WebTransport: bolide board:app."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import ssl
from pathlib import Path

from bolide.webtransport import Router

PAGE = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
LINE_MAX = 4096
"""Bytes of the longest line of a visitor."""
WAITING_MAX = 100
"""Messages that may wait for a visitor whose connection is slow."""


class Visitor:
    """A session, the stream of its lines, and what waits to be sent to it."""

    def __init__(self, number, session):
        self.number, self.session = number, session
        self.stream, self.line = None, b""
        self.waiting = asyncio.Queue(WAITING_MAX)
        self.is_late = asyncio.Event()

    async def write(self):
        """Send what waits, as fast as the visitor reads, until it has left."""
        with contextlib.suppress(OSError):
            while True:
                data, is_cursor = await self.waiting.get()
                if is_cursor:
                    await self.session.send_datagram(data)
                elif self.stream is not None:
                    await self.session.send(self.stream, data + b"\n")

    def take(self, data):
        """Return the lines that are complete."""
        *lines, self.line = (self.line + data).split(b"\n")
        if len(self.line) > LINE_MAX:
            raise ValueError("a line is too long")
        return lines


class Board:
    """The visitors by number."""

    def __init__(self):
        self.visitors = {}
        self.last = 0

    def enter(self, session):
        """Add a visitor and return it."""
        self.last += 1
        visitor = Visitor(self.last, session)
        self.visitors[visitor.number] = visitor
        return visitor

    def post(self, message, is_cursor=False):
        """Queue a message for all visitors. One with too many waiting misses cursors,
        and is sent away instead of missing a line.
        """
        data = json.dumps(message).encode()
        for visitor in self.visitors.values():
            if not visitor.waiting.full():
                visitor.waiting.put_nowait((data, is_cursor))
            elif not is_cursor:
                visitor.is_late.set()


board = Board()


def certificate_hash():
    """Return the hash by which a browser accepts a certificate that no authority has
    signed; empty unless CERTIFICATE is the path of one.
    """
    path = os.environ.get("CERTIFICATE")
    if not path:
        return ""
    der = ssl.PEM_cert_to_DER_cert(Path(path).read_text(encoding="ascii"))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


async def page(scope, receive, send):
    """Respond with the page."""
    if scope["type"] != "http":
        return
    body = PAGE.replace("{hash}", certificate_hash()).encode()
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = Router(page)


def post_lines(visitor, data):
    """Post the lines that are complete."""
    for line in visitor.take(data):
        board.post({"from": visitor.number, "text": line.decode()})


def post_cursor(visitor, data):
    """Post the place of a cursor, as parts of the board's width and height."""
    x, y = map(float, json.loads(data))
    board.post({"from": visitor.number, "x": x, "y": y}, is_cursor=True)


async def read(visitor):
    """Pass on a visitor's lines, from its stream, and cursors, from datagrams."""
    session = visitor.session
    try:
        async for message in session:
            if message["type"] == "webtransport.stream.receive":
                visitor.stream = message["stream"]
                post_lines(visitor, message["data"])
            elif message["type"] == "webtransport.datagram.receive":
                post_cursor(visitor, message["data"])
    except (ValueError, TypeError):
        await session.close(1, "a malformed message")


@app.session("/board")
async def visit(session):
    """Serve a visitor until it leaves."""
    await session.accept()
    visitor = board.enter(session)
    jobs = (read(visitor), visitor.write(), visitor.is_late.wait())
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        board.visitors.pop(visitor.number, None)
        board.post({"from": visitor.number, "gone": True})
