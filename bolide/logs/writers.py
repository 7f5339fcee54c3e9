"""Writers of log lines, one or a few at a time; none of them ever blocks."""

from __future__ import annotations

import os
import select
import socket
import stat
import sys

from bolide import _engine
from bolide.config.sinks import Sink
from bolide.logs.sinks import open_file, open_sink

PIPE_BUF = 4096
"""A pipe that is writable accepts this many bytes without blocking."""

_SEVERITIES = {50: 2, 40: 3, 30: 4, 20: 6, 10: 7, 5: 7}
"""Levels of syslog (RFC 5424 6.2.1), by the numbers of ``logging``."""


def severity(level: int) -> int:
    """Return syslog's number for a level of logging's."""
    return _SEVERITIES.get(level, 6)


class _Counting:
    """Counts dropped texts; reports their number before the next text that is
    written.
    """

    is_one_line = False

    def __init__(self) -> None:
        self.dropped = 0
        """The number of texts dropped since the last report."""
        self._why = ""

    def _drop(self, why: str) -> None:
        self.dropped += 1
        self._why = why

    def _with_note(self, text: str) -> str:
        """Return ``text``, preceded by a line about the dropped ones."""
        if not self.dropped:
            return text
        return f"{self.dropped} lines were dropped: {self._why}\n{text}"

    def reopen(self) -> None:
        """Does nothing: there is no file."""


class _Standard(_Counting):
    """A standard stream. Lines for a full pipe are dropped and counted."""

    name = ""

    def __init__(self) -> None:
        super().__init__()
        self._is_torn = False
        """Whether only a part of the last text was written."""

    def write(self, level: int, text: str) -> None:
        """Write whole lines."""
        stream = getattr(sys, self.name)
        if stream is None:
            return
        try:
            number = self._pipe()
            if number is None:
                stream.write(text)
                stream.flush()
                return
            text = self._with_note(text)
            if self._is_torn:
                text = "\n" + text
            data = text.encode("utf-8", "replace")
            left = _write_pipe(number, data)
            if left < len(data):  # the number of dropped lines comes first
                self.dropped = 0
                self._is_torn = left > 0
            if left:
                self._drop("the reader is too slow")
        except (OSError, ValueError):
            return

    def _pipe(self) -> int | None:
        """Return the descriptor if the stream is a pipe or a socket."""
        own = getattr(sys, f"__{self.name}__")
        if own is None or getattr(sys, self.name) is not own:
            return None
        number: int = own.fileno()
        mode = os.fstat(number).st_mode
        return number if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


class StandardError(_Standard):
    """Standard error."""

    name = "stderr"


class StandardOutput(_Standard):
    """Standard output."""

    name = "stdout"


def _write_pipe(number: int, data: bytes) -> int:
    """Write as much of ``data`` as possible without blocking; return how much is
    left.
    """
    while data:
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        if not poll.poll(0):
            return len(data)
        data = data[os.write(number, data[:PIPE_BUF]) :]
    return 0


class File(_Counting):
    """A file that lines are appended to. If it is full, lines are dropped."""

    def __init__(self, sink: Sink) -> None:
        """Open it; raise ConfigError."""
        super().__init__()
        self._sink = sink
        self._number = open_sink(sink)
        self._is_torn = False

    def write(self, level: int, text: str) -> None:
        """Write whole lines."""
        text = self._with_note(text)
        if self._is_torn:
            text = "\n" + text
        data = text.encode("utf-8", "replace")
        try:
            written = os.write(self._number, data)
        except OSError as problem:
            self._drop(problem.strerror or "the file takes none")
            return
        self.dropped = 0
        self._is_torn = written < len(data)
        if self._is_torn:
            self._drop("the file takes no more")

    def reopen(self) -> None:
        """Reopen the file, after another program has moved it; raise OSError."""
        assert self._sink.path is not None
        number = open_file(self._sink.path)
        os.close(self._number)
        self._number = number
        self._is_torn = False


class Datagrams(_Counting):
    """Syslog or systemd's journal: one datagram per text, sent at once or dropped."""

    is_one_line = True

    def __init__(self, sink: Sink) -> None:
        """Open it; raise ConfigError."""
        super().__init__()
        self._sock = socket.socket(fileno=open_sink(sink))
        self._sock.setblocking(False)
        self._path = sink.path
        is_remote = sink.kind == "syslog" and sink.path is None
        self._form = "remote" if is_remote else sink.kind

    def write(self, level: int, text: str) -> None:
        """Send one line."""
        try:
            if self.dropped:
                note = self._with_note("").rstrip("\n")
                self._send(30, note)
                self.dropped = 0
            self._send(level, text.rstrip("\n"))
        except OSError as problem:
            self._drop(problem.strerror or "the reader is too slow")

    def _send(self, level: int, line: str) -> None:
        data = _engine.log_datagram(self._form, severity(level), line)
        if self._path is None:
            self._sock.send(data)
        else:
            self._sock.sendto(data, self._path)


Writer = StandardError | StandardOutput | File | Datagrams


def open_writer(sink: Sink) -> Writer:
    """Return the writer for ``sink``; raise ConfigError."""
    if sink.kind == "file":
        return File(sink)
    if sink.kind in ("syslog", "journal"):
        return Datagrams(sink)
    return StandardError()
