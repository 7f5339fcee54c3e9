# SPDX-License-Identifier: MIT
"""Compares the parser with llhttp (through httptools) and h11 on the same requests.

Whatever bolide accepts as a request, both must accept as well, with the same method,
target, version, fields and body. Exceptions are the functions named ``allow_*``, each
with its reason. What bolide rejects and another parser accepts must be rejected for a
reason listed in STRICTER. Inputs are the corpora in this folder and mutations of them.

usage: differential.py LIBRARY [--runs N | --seconds N] [--seed S]

LIBRARY is the shared library that meson builds from shim.c.
"""

from __future__ import annotations

import argparse
import ctypes
import random
import re
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h11
import httptools

CORPUS = Path(__file__).parent / "corpus"
HEAD_OF_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
MARKS = b'\r\n \t:;,="\\/?#%*@[]0189afAFzZ\x00\x01\x7f\x80\xff'
OUT_BYTES = 1 << 17

STRICTER = {
    "a malformed request line": "RFC 9112 3: single spaces; llhttp takes HTTP/0.9",
    "a malformed method": "RFC 9110 9.1: a method is a token",
    "a method that is not in upper case": "ASGI B15: applications see upper case",
    "a method that is not supported": "RFC 9110 9.3.6: CONNECT is for proxies",
    "a malformed request target": "RFC 9112 3.2: four forms, by method",
    "an unsupported HTTP version": "RFC 9110 15.6.6: 505",
    "a CR without LF in a head": "RFC 9112 2.2: a bare CR is invalid",
    "an LF without CR in a head": "RFC 9112 2.2: a recipient MAY accept it",
    "a malformed field name": "RFC 9110 5.1: a name is a token",
    "a control character in a field value": "RFC 9110 5.5: only SP and HTAB",
    "a folded field line": "RFC 9112 5.2: a server must reject or unfold it",
    "no Host field": "RFC 9112 3.2: 400",
    "more than one Host field": "RFC 9112 3.2: 400",
    "a malformed Host field": "RFC 9112 3.2: 400",
    "a malformed Content-Length": "RFC 9110 8.6: digits",
    "more than one Content-Length field": "RFC 9110 8.6: may be rejected",
    "Transfer-Encoding together with Content-Length": "RFC 9112 6.3: may be rejected",
    "a Transfer-Encoding that does not end in one chunked": "RFC 9112 6.3: 400",
    "an unknown transfer coding": "RFC 9112 6.1: 501",
    "Transfer-Encoding in an HTTP/1.0 request": "RFC 9112 6.1: faulty framing",
    "an expectation that cannot be met": "RFC 9110 10.1.1: 417",
    "a malformed chunk size": "RFC 9112 7.1: extensions have a grammar",
    "chunk data that does not end in CR LF": "RFC 9112 7.1",
    "a malformed trailer": "RFC 9112 7.1.2: field lines as in a head",
    "more fields than the limit": "docs/LIMITS.md",
    "a head over the limit": "docs/LIMITS.md",
    "trailers over the limit": "docs/LIMITS.md",
    "more trailers than the limit": "docs/LIMITS.md",
    "chunk framing over the limit": "docs/LIMITS.md",
}
"""Reasons to reject a request that another parser accepts: err_text, and the rule."""


@dataclass
class Request:
    """One request as a parser has read it."""

    method: bytes = b""
    target: bytes = b""
    version: str = ""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""


class Bolide:
    """The parser under test."""

    def __init__(self, path: str) -> None:
        """Load the library at `path`."""
        self._lib = ctypes.CDLL(path)
        self._lib.shim_request.restype = ctypes.c_ssize_t
        self._lib.shim_request.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_char_p,
            ctypes.c_size_t,
        ]
        self._lib.shim_err_text.restype = ctypes.c_char_p
        self._out = ctypes.create_string_buffer(OUT_BYTES)

    def read(self, raw: bytes) -> tuple[int, Request | None]:
        """Return the request's length and the request, or an error and None."""
        n = self._lib.shim_request(raw, len(raw), self._out, OUT_BYTES)
        if n < 0:
            return n, None
        parts = _parts(self._out)
        request = Request(next(parts), next(parts), next(parts).decode())
        while name := next(parts):
            request.fields.append((name, next(parts)))
        request.body = next(parts)
        return n, request

    def text(self, err: int) -> str:
        """Return the text of an error."""
        return self._lib.shim_err_text(err).decode()


def _parts(out: ctypes.Array[ctypes.c_char]) -> Iterator[bytes]:
    """Yield the strings in `out`, each preceded by its length."""
    at = 0
    while True:
        (size,) = struct.unpack_from("=I", out, at)
        yield out[at + 4 : at + 4 + size]
        at += 4 + size


class Llhttp:
    """The parser to compare with: one object per request."""

    def __init__(self) -> None:
        """Start with an empty request."""
        self.request = Request()
        self.is_complete = False
        self._in_trailers = False

    def on_url(self, url: bytes) -> None:
        """Collect the target, which may come in parts."""
        self.request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a field; trailers are passed to the same callback and are ignored."""
        if not self._in_trailers:
            self.request.fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Remember that the fields are complete."""
        self._in_trailers = True

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self.request.body += body

    def on_message_complete(self) -> None:
        """Remember that the request is complete."""
        self.is_complete = True

    def read(self, raw: bytes) -> str:
        """Return llhttp's error for `raw`; empty if it accepts it."""
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(raw)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            return f"{type(error).__name__}: {error}"
        self.request.method = parser.get_method()
        self.request.version = parser.get_http_version()
        return "" if self.is_complete else "incomplete"


def read_with_h11(raw: bytes) -> tuple[str, Request]:
    """Return h11's error for `raw`, empty if it accepts it, and the request."""
    request = Request()
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(raw)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request.method, request.target = event.method, event.target
                request.version = event.http_version.decode()
                request.fields = event.headers.raw_items()
            elif isinstance(event, h11.Data):
                request.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return "", request
            else:
                return f"incomplete: {event}", request
    except h11.RemoteProtocolError as error:
        return str(error), request


def allow_method(raw: bytes, request: Request) -> bytes:
    """Replace the method by one that llhttp knows.

    It has a closed list of methods; any upper-case token is one here (RFC 9110 9.1).
    """
    return raw.replace(request.method, b"POST", 1)


def allow_blanks(raw: bytes) -> bytes:
    """Remove spaces and tabs from the ends of the lines of the head.

    llhttp takes those after a value for a part of it, and so "chunked" with a tab for
    an unknown coding; they are not (RFC 9112 5.1).
    """
    start = len(raw) - len(raw.lstrip(b"\r\n"))
    end = raw.index(b"\r\n\r\n", start)
    head = re.sub(rb"[ \t]+\r\n", b"\r\n", raw[start : end + 2])
    return raw[:start] + head + raw[end + 2 :]


def allow_trailer(said: str) -> bool:
    """Skip a request whose trailers have a Content-Length.

    llhttp takes it for a field of the head, where it cannot be combined with
    Transfer-Encoding; here trailers are checked and dropped (RFC 9110 6.5.1).
    """
    return "Content-Length can't be present with Transfer-Encoding" in said


def allow_upgrade(request: Request) -> bool:
    """Skip the body of an upgrade.

    llhttp ends HTTP after the head of a request with Upgrade, even if it has a body;
    here it is served as plain HTTP, including the body (RFC 9110 7.8).
    """
    names = {name.lower() for name, _ in request.fields}
    return b"upgrade" in names


def allow_empty_line(raw: bytes) -> bytes:
    """Remove empty lines before a request: h11 does not skip them (RFC 9112 2.2)."""
    return raw.lstrip(b"\r\n")


def compare_with_llhttp(raw: bytes, ours: Request) -> tuple[str, str]:
    """Return the kind of outcome and, if the rule is broken, how."""
    kind = "accepted by both"
    theirs = Llhttp()
    raw = allow_blanks(raw)
    said = theirs.read(raw)
    if said.startswith("HttpParserInvalidMethodError"):
        kind = "accepted by both but for the method"
        theirs = Llhttp()
        said = theirs.read(allow_method(raw, ours))
        theirs.request.method = ours.method
    if allow_trailer(said):
        return "accepted here, with a Content-Length in the trailers", ""
    if said:
        return "broken", f"llhttp: {said}"
    if allow_upgrade(ours):
        kind = "accepted by both as an upgrade"
        theirs.request.body = ours.body
    if theirs.request != ours:
        return "broken", f"{ours} is not llhttp's {theirs.request}"
    return kind, ""


def compare_with_h11(raw: bytes, ours: Request) -> tuple[str, str]:
    """Return the same for h11."""
    said, theirs = read_with_h11(allow_empty_line(raw))
    if said:
        return "broken", f"h11: {said}"
    if theirs != ours:
        return "broken", f"{ours} is not h11's {theirs}"
    return "accepted by h11 too", ""


def compare_rejected(text: str, raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield which parsers accept what is rejected here, and whether the reason is
    listed.
    """
    for name, said in (("llhttp", Llhttp().read(raw)), ("h11", read_with_h11(raw)[0])):
        if not said and text in STRICTER:
            yield f"rejected here, accepted by {name}: {text}", ""
        elif not said:
            yield "broken", f"rejected for {text!r}, accepted by {name}"


def differences(bolide: Bolide, raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield each kind of outcome and, if the rule is broken, how."""
    n, ours = bolide.read(raw)
    if ours is None:
        yield "rejected here", ""
        yield from compare_rejected(bolide.text(n), raw)
    else:
        yield compare_with_llhttp(raw[:n], ours)
        yield compare_with_h11(raw[:n], ours)


def seeds() -> list[bytes]:
    """Return the corpora as complete requests."""
    heads = sorted((CORPUS / "head").iterdir())
    bodies = sorted((CORPUS / "chunked").iterdir())
    return [path.read_bytes() for path in heads] + [
        HEAD_OF_CHUNKED + path.read_bytes() for path in bodies
    ]


def mutation(rng: random.Random, corpus: list[bytes]) -> bytes:
    """Return an input of the corpus with a few bytes changed."""
    raw = bytearray(rng.choice(corpus))
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(raw))
        match rng.randrange(4):
            case 0:
                raw[at : at + 1] = bytes([rng.choice(MARKS)])
            case 1:
                raw[at:at] = bytes([rng.choice(MARKS)])
            case 2:
                del raw[at : at + rng.randint(1, 4)]
            case _:
                other = rng.choice(corpus)
                start = rng.randint(0, len(other))
                raw[at:at] = other[start : start + rng.randint(1, 24)]
    return bytes(raw)


def inputs(rng: random.Random, runs: int, seconds: int | None) -> Iterator[bytes]:
    """Yield the corpora, then `runs` mutations, or as many as `seconds` allow."""
    corpus = seeds()
    yield from corpus
    if seconds is None:
        for _ in range(runs):
            yield mutation(rng, corpus)
        return
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield mutation(rng, corpus)


def main() -> int:
    """Compare; return 0 if the rule holds."""
    parser = argparse.ArgumentParser(description="Compare bolide with llhttp and h11.")
    parser.add_argument("library")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    bolide = Bolide(args.library)
    rng = random.Random(args.seed)
    kinds: Counter[str] = Counter()
    for raw in inputs(rng, args.runs, args.seconds):
        for kind, how in differences(bolide, raw):
            kinds[kind] += 1
            if kind == "broken" and kinds[kind] <= 20:
                print(f"{raw!r}\n    {how}")
    for kind, count in kinds.most_common():
        print(f"{count:8} {kind}")
    if kinds["accepted by both"] == 0:
        print("nothing was compared")
        return 1
    return 1 if kinds["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
