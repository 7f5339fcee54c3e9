"""Where what is said goes out, a line or a few at a time; nothing here ever waits."""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
import time

from bolide.sinks import FILE_MODE, Sink

PIPE_BUF = 4096
"""A pipe that is ready takes this much without waiting."""

_SEVERITIES = {50: 2, 40: 3, 30: 4, 20: 6, 10: 7, 5: 7}
"""Of syslog (RFC 5424 6.2.1), by the numbers of ``logging``."""
_DAEMON = 3
"""The facility."""


def severity(level: int) -> int:
    """Return syslog's number for a level of logging's."""
    return _SEVERITIES.get(level, 6)


class _Counting:
    """Counts texts that were not taken; says how many before the next that is."""

    is_one_line = False

    def __init__(self) -> None:
        self.dropped = 0
        """Those since that was said."""
        self._why = ""

    def _drop(self, why: str) -> None:
        self.dropped += 1
        self._why = why

    def _with_note(self, text: str) -> str:
        """Return ``text`` behind a line about those that were dropped."""
        if not self.dropped:
            return text
        return f"{self.dropped} lines were dropped: {self._why}\n{text}"

    def reopen(self) -> None:
        """Do nothing: there is no file."""


class _Standard(_Counting):
    """A standard stream. A pipe that nobody reads costs lines, which are counted."""

    name = ""

    def __init__(self) -> None:
        super().__init__()
        self._is_torn = False
        """Whether only a part of the last text was taken."""

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
            if left < len(data):  # the number of those dropped comes first
                self.dropped = 0
                self._is_torn = left > 0
            if left:
                self._drop("nobody takes them")
        except (OSError, ValueError):
            return

    def _pipe(self) -> int | None:
        """Return the descriptor where the stream is a pipe or a socket."""
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
    """Write ``data`` as far as it is taken at once; return how much is left."""
    while data:
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        if not poll.poll(0):
            return len(data)
        data = data[os.write(number, data[:PIPE_BUF]) :]
    return 0


class File(_Counting):
    """A file that lines are added to. One that is full costs lines."""

    def __init__(self, sink: Sink) -> None:
        """Open it; raise ConfigError."""
        super().__init__()
        self._sink = sink
        self._number = sink.open()
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
        """Open the file again, for whoever has moved it away; raise OSError."""
        assert self._sink.path is not None
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        number = os.open(self._sink.path, flags, FILE_MODE)
        os.close(self._number)
        self._number = number
        self._is_torn = False


class _Datagrams(_Counting):
    """A datagram for each text, which whoever listens takes at once or not at all."""

    is_one_line = True

    def __init__(self, sink: Sink) -> None:
        """Open it; raise ConfigError."""
        super().__init__()
        self._sock = socket.socket(fileno=sink.open())
        self._sock.setblocking(False)
        self._path = sink.path

    def write(self, level: int, text: str) -> None:
        """Send one line."""
        try:
            if self.dropped:
                note = self._with_note("").rstrip("\n")
                self._send(self._form(30, note))
                self.dropped = 0
            self._send(self._form(level, text.rstrip("\n")))
        except OSError as problem:
            self._drop(problem.strerror or "nobody takes them")

    def _form(self, level: int, line: str) -> bytes:
        """Return the datagram of a line."""
        raise NotImplementedError

    def _send(self, data: bytes) -> None:
        if self._path is None:
            self._sock.send(data)
        else:
            self._sock.sendto(data, self._path)


class Syslog(_Datagrams):
    """The system's log by RFC 3164, or one elsewhere by RFC 5424."""

    def _form(self, level: int, line: str) -> bytes:
        priority = _DAEMON * 8 + severity(level)
        if self._path is not None:
            stamp = time.strftime("%b %e %H:%M:%S")
            head = f"<{priority}>{stamp} bolide[{os.getpid()}]: "
        else:
            zone = time.strftime("%z")
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S") + f"{zone[:3]}:{zone[3:]}"
            host = socket.gethostname() or "-"
            head = f"<{priority}>1 {stamp} {host} bolide {os.getpid()} - - "
        return (head + line).encode("utf-8", "replace")


class Journal(_Datagrams):
    """systemd's journal, by its native protocol."""

    def _form(self, level: int, line: str) -> bytes:
        return (
            f"PRIORITY={severity(level)}\nSYSLOG_FACILITY={_DAEMON}\n"
            f"SYSLOG_IDENTIFIER=bolide\nMESSAGE={line}\n".encode("utf-8", "replace")
        )


Outlet = StandardError | StandardOutput | File | Syslog | Journal


def open_outlet(sink: Sink) -> Outlet:
    """Return the outlet that ``sink`` names; raise ConfigError."""
    if sink.kind == "file":
        return File(sink)
    if sink.kind == "syslog":
        return Syslog(sink)
    if sink.kind == "journal":
        return Journal(sink)
    return StandardError()
