"""Runs the wire cases of HTTP/2: whole, byte by byte, and split at every byte.

usage: run_h2.py [WORD ...]   only cases whose names contain every WORD

The outcome of a case must be the same however its bytes are split: what the application
received, and how each stream was answered or reset. If the case ends the connection,
the responses before that depend on timing and are not compared.
"""

import asyncio
import sys
import time

import hpack
from run import (
    AT_ONCE,
    DEADLINE_S,
    HERE,
    NUMBERS,
    PATIENT,
    document,
    next_address,
    start_server,
    wire_app,
)

CUTS_MAX = 150
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
PROBE = bytes.fromhex("000008060000000000") + b"are here"
HEADERS, RST_STREAM, PING, GOAWAY = 1, 3, 6, 7
CODES = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR"),
    *("SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM"),
    *("CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM"),
)


def code(payload):
    """Return the name of an error code."""
    return CODES[int.from_bytes(payload, "big")]


class Talk(asyncio.Protocol):
    """One connection that sends a case in segments."""

    def __init__(self, case, pieces):
        self.case = case
        self.pieces = pieces
        self.data = b""
        self.decoder = hpack.Decoder()
        self.streams = {}
        self.goaway = None
        self.answered = False
        self.ended = False
        self.news = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.address = transport.get_extra_info("sockname")[0]

    def data_received(self, data):
        self.data += data
        while len(self.data) >= 9:
            end = 9 + int.from_bytes(self.data[:3], "big")
            if len(self.data) < end:
                break
            self.take(self.data[:end])
            self.data = self.data[end:]
        self.news.set()

    def take(self, frame):
        """Record the content of a frame."""
        kind, flags, payload = frame[3], frame[4], frame[9:]
        stream = int.from_bytes(frame[5:9], "big")
        if kind == HEADERS:
            status = dict(self.decoder.decode(payload))[":status"]
            self.streams.setdefault(stream, f"answer {stream} {status}")
        elif kind == RST_STREAM and code(payload) != "NO_ERROR":
            self.streams[stream] = f"reset {stream} {code(payload)}"
        elif kind == GOAWAY:
            self.goaway = f"goaway {code(payload[4:8])}"
        elif kind == PING and flags & 1:
            self.answered = True

    def eof_received(self):
        self.connection_lost(None)
        return True

    def connection_lost(self, exc):
        self.ended = True
        self.news.set()

    async def until(self, is_done):
        """Wait until ``is_done()``, the end, or the deadline."""
        end = time.monotonic() + DEADLINE_S
        while not self.ended and not is_done():
            self.news.clear()
            async with asyncio.timeout(max(0, end - time.monotonic())):
                await self.news.wait()

    async def events(self):
        """Return what the application received; it may notice the end after the
        client.
        """
        words = ("answer", "reset", "goaway", "open", "closed")
        wanted = sum(not x.startswith(words) for x in self.case.log)
        end = time.monotonic() + DEADLINE_S
        while len(wire_app.EVENTS[self.address]) < wanted and time.monotonic() < end:
            await asyncio.sleep(0.001)
        return wire_app.EVENTS.pop(self.address, [])

    async def play(self):
        """Return the log of the case."""
        wire_app.EVENTS.pop(self.address, None)
        try:
            for piece in self.pieces:
                if self.transport.is_closing():
                    break
                self.transport.write(piece)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            self.transport.write(PROBE)
            wanted = [x for x in self.case.log if x.startswith(("answer", "reset"))]
            await self.until(lambda: self.answered and len(self.streams) >= len(wanted))
        except TimeoutError:
            return [
                *wire_app.EVENTS.pop(self.address, []),
                *self.streams.values(),
                "silent",
            ]
        finally:
            self.transport.abort()
        events = await self.events()
        if self.ended:
            calls = [x for x in events if x.startswith("call")]
            return [*calls, self.goaway or "no goaway", "closed"]
        return [*events, *(self.streams[x] for x in sorted(self.streams)), "open"]


def is_as_wanted(log, wanted):
    """Return whether each line is an expected one: "this, or that" lists the
    results with different versions of nghttp2, some of which handle the case before
    bolide does.
    """
    return len(log) == len(wanted) and all(
        line in choice.split(", or ") for line, choice in zip(log, wanted, strict=True)
    )


def ways_to_cut(sent):
    """Return the parts for each way to split: whole, by bytes, and in two at many
    places.
    """
    yield [sent]
    if len(sent) <= 4000:
        yield [sent[i : i + 1] for i in range(len(sent))]
    for i in range(1, len(sent), max(1, len(sent) // CUTS_MAX)):
        yield [sent[:i], sent[i:]]


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
            return await talk.play()

    ways = list(ways_to_cut(case.sent if case.is_bare else PREFACE + case.sent))
    logs = await asyncio.gather(*(one(pieces) for pieces in ways))
    wanted = logs[0] if is_as_wanted(logs[0], case.log) else case.log
    wrong = []
    for pieces, log in zip(ways, logs, strict=True):
        if log != wanted:
            cut = "/".join(str(len(p)) for p in pieces[:2])
            how = "whole" if len(pieces) == 1 else cut
            wrong.append(f"{case.name} [{how}]\n    want {wanted}\n    got  {log}")
    return wrong, len(logs)


async def main(words):
    """Run the cases; return how many failed."""
    server, port = await start_server(PATIENT, h2=1)
    cases = [
        c for p in sorted(HERE.glob("http2/*.md")) for c in document.read_frames(p)
    ]
    cases = [c for c in cases if all(word in c.name for word in words)]
    gate, passed, failed = asyncio.Semaphore(AT_ONCE), 0, 0
    for case in cases:
        wrong, n = await run_case(case, port, gate)
        print("\n".join(wrong[:3]), end="\n" if wrong else "")
        failed += len(wrong)
        passed += n - len(wrong)
    server.close()
    print(
        f"wire: {len(cases)} cases of HTTP/2, cut in every way: "
        f"{passed} passed, {failed} failed"
    )
    return failed or not cases


if __name__ == "__main__":
    sys.exit(1 if asyncio.run(main(sys.argv[1:])) else 0)
