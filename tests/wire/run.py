"""Runs the wire cases: whole, byte by byte, and split at every byte.

usage: run.py [WORD ...]   only cases whose names contain every WORD
"""

import asyncio
import itertools
import os
import socket
import struct
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import app as wire_app  # noqa: E402
import document  # noqa: E402

from bolide import _engine  # noqa: E402
from bolide.config import binds  # noqa: E402
from bolide.config.config import Config  # noqa: E402

PATIENCE = int(os.environ.get("PATIENCE", "1"))
DEADLINE_S = 30 * PATIENCE
AT_ONCE = 48
CUTS_MAX = 150
NEXT = b"GET /__next HTTP/1.1\r\nHost: a\r\n\r\n"
PATIENT = {
    "timeout_head": 60 * PATIENCE,
    "timeout_keep_alive": 60 * PATIENCE,
    "timeout_body": 60 * PATIENCE,
    "timeout_linger": 30,
}
HASTY = {**PATIENT, "timeout_head": 0.5, "timeout_body": 0.5, "timeout_linger": 0.5}
"""The limits of the two servers: cases that end by a deadline use the second one."""


def take_chunked(rest):
    """Return the decoded body, whether it is complete, and what follows it."""
    body = b""
    while True:
        size, line, after = rest.partition(b"\r\n")
        if not line:
            return body, False, b""
        n = int(size, 16)
        if len(after) < n + 2:
            return body + after[:n], False, b""
        if n == 0:
            return body, True, after[2:]
        body, rest = body + after[:n], after[n + 2 :]


def take_response(data, is_head):
    """Return a description of the first response, whether it is complete, and the
    rest.
    """
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        return "", False, data
    first, *lines = head.split(b"\r\n")
    status = int(first.split(b" ")[1])
    fields = {n.lower(): v.strip() for n, _, v in (x.partition(b":") for x in lines)}
    names = [x.partition(b":")[0].lower() for x in lines]
    assert names.count(b"content-length") + names.count(b"transfer-encoding") < 2
    assert not any(ord("\r") in x or ord("\n") in x or 0 in x for x in lines)
    complete, body = True, b""
    if status < 200 or status in (204, 304) or is_head:
        assert status >= 200 or b"content-length" not in fields
    elif b"transfer-encoding" in fields:
        body, complete, rest = take_chunked(rest)
    elif b"content-length" in fields:
        n = int(fields[b"content-length"])
        body, complete, rest = rest[:n], len(rest) >= n, rest[n:]
    else:
        body, complete, rest = rest, False, b""
    words = ["response", str(status)]
    if status < 400 and body:
        words.append(wire_app.shown(body))
    for name in (b"allow", b"connection"):
        if name in fields:
            words.append(f"{name.decode()}={fields[name].decode()}")
    return " ".join(words), complete, rest


def read_responses(data, sent):
    """Return descriptions of all responses; the last one may be marked as cut off."""
    found = []
    heads = [x.startswith(b"HEAD ") for x in sent.split(b"\r\n\r\n")]
    while data:
        is_head = heads[min(len(found), len(heads) - 1)]
        words, complete, data = take_response(data, is_head)
        if not words:
            break
        found.append(words if complete else words + " cut off")
    return found


class Talk(asyncio.Protocol):
    """One connection that sends a case in segments."""

    def __init__(self, case, pieces):
        self.case = case
        self.pieces = pieces
        self.wanted = [x for x in case.log if x.startswith("response")]
        self.data = b""
        self.ended = False
        self.news = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.address = sock.getsockname()[0]

    def data_received(self, data):
        self.data += data
        self.news.set()

    def eof_received(self):
        self.connection_lost(None)
        return True

    def connection_lost(self, exc):
        self.ended = True
        self.news.set()

    async def reaches(self, is_done):
        """Wait until ``is_done()``, the end, or the deadline."""
        end = time.monotonic() + DEADLINE_S
        while not self.ended and not is_done():
            self.news.clear()
            async with asyncio.timeout(max(0, end - time.monotonic())):
                await self.news.wait()

    async def send(self):
        """Send the parts, each in its own segment."""
        for piece in self.pieces:
            if self.transport.is_closing():
                return
            self.transport.write(piece)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if self.case.half_closes and not self.transport.is_closing():
            self.transport.write_eof()

    def is_answered(self):
        """Return whether all responses were received, if the connection stays open."""
        stays_open = self.case.log[-1:] == ["open"]
        return stays_open and read_responses(self.data, self.case.sent) == self.wanted

    async def events(self):
        """Return what the application received; it may notice the end after the
        client.
        """
        wanted = len(self.case.log) - len(self.wanted) - 1
        end = time.monotonic() + DEADLINE_S
        while len(wire_app.EVENTS[self.address]) < wanted and time.monotonic() < end:
            await asyncio.sleep(0.001)
        return wire_app.EVENTS.pop(self.address, [])

    async def play(self):
        """Return the log of the case."""
        wire_app.EVENTS.pop(self.address, None)
        try:
            await self.send()
            await self.reaches(self.is_answered)
            log = [*await self.events(), *read_responses(self.data, self.case.sent)]
            log.append(await self.how_it_stands())
        except TimeoutError:
            log = [*wire_app.EVENTS.pop(self.address, []), "silent"]
        finally:
            self.transport.abort()
        return log

    async def how_it_stands(self):
        """Return whether the connection still serves."""
        if self.ended:
            return "closed"
        before = len(self.data)
        self.transport.write(NEXT)
        await self.reaches(lambda: self.data[before:].startswith(b"HTTP/1.1 200 "))
        wire_app.EVENTS.pop(self.address, None)
        return "closed" if self.ended else "open"


def is_timed(case):
    """Return whether the case ends by a deadline."""
    return case.has_deadline


def ways_to_cut(case):
    """Return the parts for each way to split: whole, by bytes, and in two at many
    places.
    """
    sent = case.sent
    yield [sent]
    if is_timed(case):
        return
    if len(sent) <= 4000:
        yield [sent[i : i + 1] for i in range(len(sent))]
    for i in range(1, len(sent), max(1, len(sent) // CUTS_MAX)):
        yield [sent[:i], sent[i:]]


NUMBERS = itertools.count(1)
"""Numbers of connections: a port could be reused before the end is read."""


def next_address(number):
    """Return a local address that no other connection uses."""
    return f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


async def run_case(case, port, gate):
    """Return the failures, one line for each way to split."""

    async def one(pieces):
        async with gate:
            talk = Talk(case, pieces)
            loop = asyncio.get_running_loop()
            here = (next_address(next(NUMBERS)), 0)
            await loop.create_connection(
                lambda: talk, "127.0.0.1", port, local_addr=here
            )
            log = await talk.play()
        if log == case.log:
            return None
        how = "whole" if len(pieces) == 1 else "/".join(str(len(p)) for p in pieces[:2])
        return f"{case.name} [{how}]\n    want {case.log}\n    got  {log}"

    done = await asyncio.gather(*(one(pieces) for pieces in ways_to_cut(case)))
    return [x for x in done if x], len(done)


async def start_server(limits, flags=0, h2=0):
    """Return a running server and its port; ``flags`` are its socket's."""
    config = Config(
        "wire", lifespan="off", limits=limits, forwarded_allow_ips="127.0.0.0/8"
    )
    settings = config.for_engine()
    settings |= {"access_log": None, "log": lambda *_: None, "h2": h2}
    settings["log_exception"] = lambda *_: None
    server = _engine.Server(wire_app.app, asyncio.get_running_loop(), settings)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    port = listener.getsockname()[1]
    await server.startup()
    server.start([(listener.detach(), flags)])
    return server, port


async def main(words):
    """Run the cases; return how many passed and failed."""
    patient, patient_port = await start_server(PATIENT)
    hasty, hasty_port = await start_server(HASTY)
    proxied, proxied_port = await start_server(
        PATIENT, binds.LISTEN_PROXY_V1 | binds.LISTEN_PROXY_V2
    )

    def port_of(case):
        if case.is_proxied:
            return proxied_port
        return hasty_port if is_timed(case) else patient_port

    cases = [c for p in sorted(HERE.glob("*/*.md")) for c in document.read(p)]
    cases = [c for c in cases if all(word in c.name for word in words)]
    gate, passed, failed = asyncio.Semaphore(AT_ONCE), 0, 0
    for start in range(0, len(cases), 16):
        batch = cases[start : start + 16]
        runs = [run_case(c, port_of(c), gate) for c in batch]
        for wrong, n in await asyncio.gather(*runs):
            print("\n".join(wrong[:3]), end="\n" if wrong else "")
            failed += len(wrong)
            passed += n - len(wrong)
    patient.close()
    hasty.close()
    proxied.close()
    print(
        f"wire: {len(cases)} cases, cut in every way: {passed} passed, {failed} failed"
    )
    return failed or not cases


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
