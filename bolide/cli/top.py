"""``bolide top``: the activity of a server in a terminal, updated every second."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import select
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO, TypeAlias
from urllib.parse import urlsplit

from bolide.cli.top_screen import Screen
from bolide.system.threads import start_without_signals

News: TypeAlias = dict[str, Any]
"""One event of the status page; see src/builtin/status.c."""

USAGE = """usage: bolide top [-b] [-n TIMES] [ADDRESS]

Shows the numbers of a running server once a second, until q or Ctrl-C. ADDRESS is
that of its status page: the address of --metrics-bind (default:
http://127.0.0.1:9100), unix:/path, or the URL of --status-path.

  -b, --batch       plain text, one screen after another; the default if standard
                    output is not a terminal, and then one screen
  -n, --times TIMES end after this many screens
"""
DEFAULT = "http://127.0.0.1:9100"
_CLEAR, _HOME = "\x1b[2J", "\x1b[H"
_LINE_END, _REST = "\x1b[K", "\x1b[J"
_OTHER_SCREEN, _OWN_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_TIMEOUT_S = 10
_BATCH_COLUMNS = 100


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


class Listener:
    """The events that a server sends about itself."""

    def __init__(self, address: str) -> None:
        """Connect; raise OSError or HTTPException."""
        self._connection, path = _connection_to(address)
        try:
            self._connection.request("GET", f"{path}/events")
            self._answer = self._connection.getresponse()
            if self._answer.status != 200:
                reason = f"{path}/events was answered with {self._answer.status}"
                raise OSError(f"{reason}: there is no status page (--status-path)")
        except BaseException:
            self._connection.close()
            raise

    def __iter__(self) -> Iterator[News]:
        """Yield events as they arrive, until the server ends."""
        for line in self._answer:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class _Reader:
    """Reads a Listener in a thread; ``fd`` is readable when there is a new event."""

    def __init__(self, listener: Listener) -> None:
        self.fd, self._wake = os.pipe()
        self._found: queue.SimpleQueue[News | Exception | None] = queue.SimpleQueue()
        self._listener = listener
        thread = threading.Thread(target=self._run, daemon=True)
        start_without_signals(thread)

    def _run(self) -> None:
        end: Exception | None = None
        try:
            for news in self._listener:
                self._found.put(news)
                os.write(self._wake, b"n")
        except Exception as error:
            end = error
        self._found.put(end)
        os.write(self._wake, b"n")

    def take(self) -> News | None:
        """Return the next event, or None at the end; raise the exception of the
        reader.
        """
        os.read(self.fd, 1)
        found = self._found.get()
        if isinstance(found, Exception):
            raise found
        return found


def _connection_to(address: str) -> tuple[http.client.HTTPConnection, str]:
    if address.startswith("unix:"):
        return _UnixConnection(address.removeprefix("unix:")), ""
    url = urlsplit(address if "//" in address else f"http://{address}")
    host = url.hostname or "127.0.0.1"
    kind: type[http.client.HTTPConnection] = http.client.HTTPConnection
    if url.scheme == "https":
        kind = http.client.HTTPSConnection
    return kind(host, url.port, timeout=_TIMEOUT_S), url.path.rstrip("/")


def listen(address: str) -> Iterator[News]:
    """Yield the events of the server at ``address`` until it ends. Raises OSError."""
    with contextlib.closing(Listener(address)) as listener:
        yield from listener


class _Terminal:
    """A terminal on which a screen is drawn, and which is restored at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._in = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else -1
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._woken, False)

    def __enter__(self) -> _Terminal:
        self._before: Any = None
        if self._in != -1:
            import termios
            import tty

            self._before = termios.tcgetattr(self._in)
            tty.setcbreak(self._in)
        self._resized = signal.signal(signal.SIGWINCH, self._on_resize)
        self._out.write(_OTHER_SCREEN + _HIDE + _CLEAR)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGWINCH, self._resized)
        if self._before is not None:
            import termios

            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)
        self._out.write(_OWN_SCREEN + _SHOW)
        self._out.flush()
        os.close(self._wake)
        os.close(self._woken)

    def _on_resize(self, number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._woken, b"w")

    def draw(self, text: str) -> None:
        """Draw lines over the previous ones, clearing the rest of each."""
        lines = [line + _LINE_END for line in text.split("\n")]
        self._out.write(_HOME + "\r\n".join(lines) + _REST)
        self._out.flush()

    def wait(self, other: int) -> tuple[str, bool]:
        """Wait for a key, a resize, or ``other``; return the key, "" for none, and
        whether ``other`` can be read.
        """
        watched = [other, self._wake] + ([self._in] if self._in != -1 else [])
        ready, _, _ = select.select(watched, [], [], _TIMEOUT_S)
        if self._wake in ready:
            os.read(self._wake, 64)
            self._out.write(_CLEAR)
        keys = os.read(self._in, 64).decode("latin-1") if self._in in ready else ""
        if not ready:
            raise TimeoutError("the server has stopped sending")
        return keys[-1:], other in ready


def _show_on_terminal(listener: Listener, out: TextIO, times: int) -> int:
    """Show events until a key is pressed, the server ends, or ``times`` is reached;
    return 1 if the server has ended.
    """
    screen = Screen()
    reader = _Reader(listener)
    with _Terminal(out) as terminal:
        while True:
            key, can_read = terminal.wait(reader.fd)
            if key in ("q", "Q"):
                return 0
            if can_read:
                news = reader.take()
                if news is None:
                    return 1
                screen.take(news)
                times -= 1
            width, height = shutil.get_terminal_size()
            if screen.has_news:
                terminal.draw(screen.show(width, height))
            if times == 0:
                return 0


def _show_in_batch(listener: Listener, out: TextIO, times: int) -> int:
    """Write plain text; the first event has no rates of workers."""
    screen = Screen(is_plain=True)
    for number, news in enumerate(listener):
        screen.take(news)
        if number == 0:
            continue
        columns = shutil.get_terminal_size((_BATCH_COLUMNS, 0)).columns
        out.write(f"{time.strftime('%H:%M:%S')}  {screen.show(columns, 1000)}\n\n")
        out.flush()
        times -= 1
        if times == 0:
            return 0
    return 1


def _parse(words: list[str]) -> tuple[str, bool, int] | None:
    """Return the address, whether it is a batch, and how often; None: wrong usage."""
    address, is_batch, times = "", False, -1
    left = list(words)
    while left:
        word = left.pop(0)
        if word in ("-b", "--batch"):
            is_batch = True
        elif word.startswith(("-n", "--times")):
            value = word.removeprefix("--times").removeprefix("-n").removeprefix("=")
            value = value or (left.pop(0) if left else "")
            if not value.isdecimal() or int(value) == 0:
                return None
            times = int(value)
        elif word.startswith("-") or address:
            return None
        else:
            address = word
    return address or DEFAULT, is_batch, times


def _reason(address: str, error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, (ConnectionRefusedError, FileNotFoundError)):
        text = (
            "nothing listens there; start the server with --metrics-bind, as in: "
            "bolide app:app --metrics-bind 127.0.0.1:9100"
        )
    elif isinstance(error, http.client.HTTPException | ValueError):
        text = f"this is not a status page of bolide: {text}"
    return f"bolide top: {address}: {text}\n"


def run(words: list[str], out: TextIO) -> int:
    """Show until the server ends, q or Ctrl-C; return the exit code."""
    wanted = _parse(words)
    if wanted is None:
        is_help = words in (["-h"], ["--help"])
        (out if is_help else sys.stderr).write(USAGE)
        return 0 if is_help else 2
    address, is_batch, times = wanted
    is_terminal = out.isatty() and not is_batch
    if not is_terminal and not is_batch and times < 0:
        times = 1
    try:
        with contextlib.closing(Listener(address)) as listener:
            show = _show_on_terminal if is_terminal else _show_in_batch
            code = show(listener, out, times)
        if code:
            sys.stderr.write(f"bolide top: {address} has ended\n")
        return code
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # The reader, such as head, has closed the pipe; keep Python from writing at
        # exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return 0
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.stderr.write(_reason(address, error))
        return 1
