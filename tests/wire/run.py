"""Runs the wire cases: whole, byte by byte, and cut at every byte.

usage: run.py [WORD ...]     only cases whose names contain every WORD
"""

import asyncio
import socket
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import app as wire_app  # noqa: E402
import document  # noqa: E402

from bolide import _engine  # noqa: E402
from bolide.config import Config  # noqa: E402

DEADLINE_S = 30
AT_ONCE = 48
CUTS_MAX = 48
NEXT = b"GET /__next HTTP/1.1\r\nHost: a\r\n\r\n"
PATIENT = {
    "timeout_head": 60,
    "timeout_keep_alive": 60,
    "timeout_body": 60,
    "timeout_linger": 30,
}
HASTY = {**PATIENT, "timeout_head": 0.5, "timeout_body": 0.5}
"""The limits of the two servers: the cases whose log has a 408 talk to the hasty one."""


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
    """Return the first response in words, whether it is complete, and the rest."""
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
    """Return all responses in words; the last may be marked as cut off."""
    found = []
    heads = [x.startswith(b"HEAD ") for x in sent.split(b"\r\n\r\n")]
    while data:
        is_head = heads[min(len(found), len(heads) - 1)]
        words, complete, data = take_response(data, is_head)
        if not words:
            break
        found.append(words if complete else words + " cut off")
    return found


class Talk:
    """One connection that plays a case in pieces."""

    def __init__(self, case, pieces):
        self.case = case
        self.pieces = pieces
        self.data = b""
        self.ended = False

    async def read_some(self, reader, enough_s):
        """Read until the end, or until nothing has come for ``enough_s``."""
        try:
            while True:
                piece = await asyncio.wait_for(reader.read(65536), enough_s)
                if not piece:
                    self.ended = True
                    return
                self.data += piece
        except TimeoutError:
            return
        except ConnectionError:
            self.ended = True

    async def send(self, writer):
        """Send the pieces, each in a segment of its own."""
        for piece in self.pieces:
            if writer.transport.is_closing():
                return
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if self.case.half_closes and not writer.transport.is_closing():
            writer.write_eof()

    async def reaches(self, reader, wanted):
        """Read until what has come says what the case wants, or cannot any more."""
        deadline = time.monotonic() + DEADLINE_S
        while not self.ended and time.monotonic() < deadline:
            if wanted[-1:] == ["open"]:
                got = read_responses(self.data, self.case.sent)
                if got == [x for x in wanted if x.startswith("response")]:
                    return
            await self.read_some(reader, 0.02)

    async def play(self, port):
        """Return the log of the case."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        name = writer.get_extra_info("sockname")[1]
        writer.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        wire_app.EVENTS.pop(name, None)
        try:
            await self.send(writer)
            await self.reaches(reader, self.case.log)
            events = list(wire_app.EVENTS.pop(name, []))
            log = [*events, *read_responses(self.data, self.case.sent)]
            log.append(await self.how_it_stands(reader, writer))
        except ConnectionError:
            log = [*wire_app.EVENTS.pop(name, []), "reset"]
        finally:
            writer.close()
        return log

    async def how_it_stands(self, reader, writer):
        """Return whether the connection still serves."""
        if self.ended:
            return "closed"
        before = len(self.data)
        writer.write(NEXT)
        deadline = time.monotonic() + DEADLINE_S
        while not self.ended and time.monotonic() < deadline:
            await self.read_some(reader, 0.02)
            if self.data[before:].startswith(b"HTTP/1.1 200 "):
                return "open"
        return "closed" if self.ended else "silent"


def is_timed(case):
    """Return whether the case ends by a deadline."""
    return any(" 408" in x for x in case.log)


def ways_to_cut(case):
    """Return the pieces of each way: whole, by bytes, and in two at many places."""
    sent = case.sent
    yield [sent]
    if is_timed(case):
        return
    if len(sent) <= 4000:
        yield [sent[i : i + 1] for i in range(len(sent))]
    for i in range(1, len(sent), max(1, len(sent) // CUTS_MAX)):
        yield [sent[:i], sent[i:]]


async def run_case(case, port, gate):
    """Return what went wrong, one line a way of cutting."""

    async def one(pieces):
        async with gate:
            log = await Talk(case, pieces).play(port)
        if log == case.log:
            return None
        how = "whole" if len(pieces) == 1 else "/".join(str(len(p)) for p in pieces[:2])
        return f"{case.name} [{how}]\n    want {case.log}\n    got  {log}"

    done = await asyncio.gather(*(one(pieces) for pieces in ways_to_cut(case)))
    return [x for x in done if x], len(done)


async def start_server(limits):
    """Return a running server and its port."""
    settings = Config("wire", lifespan="off", limits=limits).for_engine()
    settings |= {"access_log_fd": -1, "log": lambda *_: None}
    settings["log_exception"] = lambda *_: None
    server = _engine.Server(wire_app.app, asyncio.get_running_loop(), settings)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    port = listener.getsockname()[1]
    await server.startup()
    server.start([listener.detach()])
    return server, port


async def main(words):
    """Run the cases; return how many ways passed and failed."""
    patient, patient_port = await start_server(PATIENT)
    hasty, hasty_port = await start_server(HASTY)
    cases = [c for p in sorted(HERE.glob("*/*.md")) for c in document.read(p)]
    cases = [c for c in cases if all(word in c.name for word in words)]
    gate, passed, failed = asyncio.Semaphore(AT_ONCE), 0, 0
    for start in range(0, len(cases), 16):
        batch = cases[start : start + 16]
        runs = [
            run_case(c, hasty_port if is_timed(c) else patient_port, gate) for c in batch
        ]
        for wrong, n in await asyncio.gather(*runs):
            print("\n".join(wrong[:3]), end="\n" if wrong else "")
            failed += len(wrong)
            passed += n - len(wrong)
    patient.close()
    hasty.close()
    print(f"{len(cases)} cases, each cut in every way")
    print(f"wire: {passed} passed, {failed} failed")
    return failed or not cases


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
