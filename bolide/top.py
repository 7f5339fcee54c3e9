"""``bolide top``: what a server does, in a terminal, once a second."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import sys
from collections.abc import Iterator
from typing import Any, TextIO, TypeAlias
from urllib.parse import urlsplit

from bolide.statsd import quantile

News: TypeAlias = dict[str, Any]
"""One event of the status page: src/server/status.c."""

USAGE = """usage: bolide top [ADDRESS]

Shows what a server does, once a second, until Ctrl-C. ADDRESS is where its status
page is: what --metrics-bind says (default: http://127.0.0.1:9100), unix:/path, or the
URL of --status-path.
"""
DEFAULT = "http://127.0.0.1:9100"
_CLEAR, _HOME, _REST = "\x1b[2J", "\x1b[H", "\x1b[J"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_BARS = " ▁▂▃▄▅▆▇█"
_TIMEOUT_S = 10


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def listen(address: str) -> Iterator[News]:
    """Yield what the server at ``address`` says; ends with it. Raises OSError."""
    connection: http.client.HTTPConnection
    if address.startswith("unix:"):
        connection, path = _UnixConnection(address.removeprefix("unix:")), ""
    else:
        url = urlsplit(address if "//" in address else f"http://{address}")
        host = url.hostname or "127.0.0.1"
        if url.scheme == "https":
            connection = http.client.HTTPSConnection(host, url.port, timeout=_TIMEOUT_S)
        else:
            connection = http.client.HTTPConnection(host, url.port, timeout=_TIMEOUT_S)
        path = url.path.rstrip("/")
    with contextlib.closing(connection):
        connection.request("GET", f"{path}/events")
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"{path}/events was answered with {answer.status}")
        for line in answer:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def _number(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e6 if unit == 'M' else 1e3):.1f}{unit}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _bytes(value: float) -> str:
    units = ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    digits = 0 if value >= 100 or units[0] == "B" else 1
    return f"{value:.{digits}f} {units[0]}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((1, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.0f} us"


def _age(seconds: int) -> str:
    for size, unit in ((172800, "d"), (7200, "h"), (120, "min")):
        if seconds >= size:
            divisor = {"d": 86400, "h": 3600, "min": 60}[unit]
            return f"{seconds // divisor} {unit}"
    return f"{seconds} s"


class Screen:
    """What is shown: the last rates as bars, the numbers of now, the workers."""

    def __init__(self) -> None:
        self._was: News | None = None
        self._rates: list[float] = []

    def show(self, now: News, width: int, height: int) -> str:
        """Return the lines for one event, ``height`` of ``width`` columns at most."""
        was, self._was = self._was or now, now
        seconds = max((now["ms"] - was["ms"]) / 1000, 0.001)
        lines = [
            *self._totals(now, was, seconds, width),
            "",
            *self._workers(now, was, seconds),
        ]
        return "\r\n".join(_cut(line, width) for line in lines[:height])

    def _totals(self, now: News, was: News, s: float, width: int) -> list[str]:
        def per(*names: str) -> float:
            grown = [now["total"][x] - was["total"][x] for x in names]
            return float(sum(max(0, x) for x in grown)) / s

        def every(name: str) -> int:
            return sum(worker[name] for worker in now["workers"])

        classes = [f"done_{i}xx" for i in range(1, 6)]
        rate = per("done", *classes)
        self._rates = [*self._rates, rate][-max(width - 2, 1) :]
        refused = per(*(x for x in now["total"] if x.startswith("refused_")))
        times = [quantile(_flat(now), _flat(was), part) for part in (0.5, 0.95, 0.99)]
        p50, p95, p99 = map(_time, times)
        return [
            f"{_BOLD}bolide{_PLAIN}  {len(now['workers'])} workers",
            "",
            f"requests     {_BOLD}{_number(rate):>9}/s{_PLAIN}   "
            f"running {every('running')}   4xx {_number(per('done_4xx'))}/s   "
            f"5xx {_number(per('done_5xx'))}/s   refused {_number(refused)}/s",
            f"latency      {_BOLD}{p50:>9}{_PLAIN} p50   {p95} p95   {p99} p99",
            f"connections  {_BOLD}{every('connections'):>9}{_PLAIN}     "
            f"new {_number(per('accepted'))}/s   WebSockets {every('websockets')}",
            f"traffic      {_bytes(per('bytes_in')):>9}/s in   "
            f"{_bytes(per('bytes_out'))}/s out",
            f"memory       {_bytes(every('rss')):>9}     "
            f"GC {_time(per('gc_ns') / 1e9)}/s   "
            f"blocked {now['total']['blocked']} times",
            "",
            _bars(self._rates),
        ]

    def _workers(self, now: News, was: News, s: float) -> list[str]:
        before = {worker["pid"]: worker["cpu_ms"] for worker in was["workers"]}
        head = (
            f"{'worker':>8} {'state':<9}{'age':>8}{'running':>9}{'conns':>8}"
            f"{'ws':>7}{'cpu':>7}{'memory':>11}{'lag':>9}"
        )
        lines = [f"{_DIM}{head}{_PLAIN}"]
        for worker in now["workers"]:
            used = worker["cpu_ms"] - before.get(worker["pid"], worker["cpu_ms"])
            state = "stopping" if worker["stopping"] else "serving"
            lines.append(
                f"{worker['pid']:>8} {state:<9}{_age(worker['age']):>8}"
                f"{worker['running']:>9}{worker['connections']:>8}"
                f"{worker['websockets']:>7}{used / s / 10:>6.0f}%"
                f"{_bytes(worker['rss']):>11}{_time(worker['lag_max'] / 1e9):>9}"
            )
        return lines


def _flat(news: News) -> dict[str, int]:
    return {f"latency_{i}": n for i, n in enumerate(news["latency"])}


def _bars(values: list[float]) -> str:
    most = max(values, default=0) or 1
    return "".join(_BARS[round(value / most * 8)] for value in values)


def _cut(line: str, width: int) -> str:
    """Return ``line`` with ``width`` columns at most, escapes not counted."""
    shown, kept, escaped = 0, "", False
    for char in line:
        escaped = escaped or char == "\x1b"
        if not escaped:
            if shown == width:
                continue
            shown += 1
        kept += char
        if escaped and char == "m":
            escaped = False
    return kept


def run(words: list[str], out: TextIO) -> int:
    """Show until the server ends or Ctrl-C; return the exit code."""
    if len(words) > 1 or any(word.startswith("-") for word in words):
        is_help = words in (["-h"], ["--help"])
        (out if is_help else sys.stderr).write(USAGE)
        return 0 if is_help else 2
    address = words[0] if words else DEFAULT
    is_terminal = out.isatty()
    screen = Screen()
    try:
        out.write(_HIDE + _CLEAR if is_terminal else "")
        for news in listen(address):
            width, height = shutil.get_terminal_size()
            text = screen.show(news, width, height)
            out.write(f"{_HOME}{text}{_REST}" if is_terminal else f"{text}\n\n")
            out.flush()
        sys.stderr.write(f"bolide top: {address} has ended\n")
        return 1
    except KeyboardInterrupt:
        return 0
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.stderr.write(f"bolide top: {address}: {error}\n")
        return 1
    finally:
        out.write(f"{_SHOW}\n" if is_terminal else "")
