"""Wire cases as documents: a heading, the reason, the bytes, and the expected log.

``http half-close`` shuts down the sending side after the bytes; ``http deadline`` ends
by a deadline of the server; ``http proxy`` uses a server that expects a PROXY header.

In an ``h2`` block the bytes are frames in hexadecimal, one per line; the preface and an
empty SETTINGS are sent before them, except for ``h2 bare``. ``(00*N)`` is 00 N times.

In an ``http`` block each line break stands for CR LF. A line that ends in a backslash
has none. ``\\r \\n \\t \\\\ \\xNN`` are single bytes, ``\\(TEXT*N)`` is TEXT N times.
"""

import re
from dataclasses import dataclass

CASE = re.compile(
    r"^## (?P<title>[^\n]+)\n(?P<why>.*?)"
    r"^```http(?P<flags>[^\n]*)\n(?P<bytes>.*?)^```\n"
    r"\s*^```log\n(?P<log>.*?)^```",
    re.M | re.S,
)
FRAMES = re.compile(
    r"^## (?P<title>[^\n]+)\n(?P<why>.*?)"
    r"^```h2(?P<flags>[^\n]*)\n(?P<bytes>.*?)^```\n"
    r"\s*^```log\n(?P<log>.*?)^```",
    re.M | re.S,
)
REPEAT = re.compile(r"\(([0-9a-f ]+)\*(\d+)\)")
ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|\(((?:[^*\\]|\\.)*)\*(\d+)\)|(.))", re.S)
PLAIN = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}


@dataclass
class Case:
    """One case: its name, the bytes that are sent, and the expected log."""

    name: str
    sent: bytes
    half_closes: bool
    has_deadline: bool
    is_proxied: bool
    log: list[str]
    is_bare: bool = False


def _unescape(match):
    code, repeated, times, char = match.groups()
    if code:
        return chr(int(code, 16))
    if repeated is not None:
        return ESCAPE.sub(_unescape, repeated) * int(times)
    return PLAIN[char]


def _repeated(match):
    return match[1] * int(match[2])


def decode(text):
    """Return the bytes that an ``http`` block stands for."""
    lines = re.sub(r"\\\n", "\x00", text).replace("\n", "\r\n").replace("\x00", "")
    return ESCAPE.sub(_unescape, lines).encode("latin-1")


def read(path):
    """Return the cases of a document."""
    return [
        Case(
            name=f"{path.stem}: {match['title']}",
            sent=decode(match["bytes"]),
            half_closes="half-close" in match["flags"],
            has_deadline="deadline" in match["flags"],
            is_proxied="proxy" in match["flags"],
            log=match["log"].splitlines(),
        )
        for match in CASE.finditer(path.read_text())
    ]


def read_frames(path):
    """Return the cases of a document for HTTP/2."""
    return [
        Case(
            name=f"{path.stem}: {match['title']}",
            sent=bytes.fromhex(REPEAT.sub(_repeated, match["bytes"])),
            half_closes=False,
            has_deadline=False,
            is_proxied=False,
            log=match["log"].splitlines(),
            is_bare="bare" in match["flags"],
        )
        for match in FRAMES.finditer(path.read_text())
    ]
