"""The access log, written by the engine or passed to Python's logging."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bolide import _engine
from bolide.config.sinks import Sink
from bolide.logs.loggers import ACCESS_LOGGERS, INFO, Route, find_route
from bolide.logs.sinks import AccessLog, open_sink
from bolide.logs.writers import StandardOutput, Writer, open_writer
from bolide.system.threads import start_without_signals

if TYPE_CHECKING:
    from bolide.config.config import Config
    from bolide.logs.log import Log

FORMAT = "[%(client_addr)j,%(m)j,%(Uq)j,%(http_version)j,%(s)j]"
"""The arguments of a record of uvicorn's access logger, as a JSON array."""
MESSAGE = '%s - "%s %s HTTP/%s" %d'
"""uvicorn's; its AccessFormatter uses the five arguments."""

_READ_BYTES = 262144
_REPORT_EVERY_S = 10.0


class AccessOutput:
    """The destination of the engine's access log; close() ends it."""

    def __init__(
        self, config: Config, loop: asyncio.AbstractEventLoop, log: Log
    ) -> None:
        """Open what ``config`` and the program's loggers request; raise ConfigError.

        ``log`` reports lost records.
        """
        self.setting: AccessLog | None = None
        """The settings for the engine; None: there is no access log."""
        self._fd = -1
        self._feed: _Feed | None = None
        sink = config.access_sink
        is_stream = sink.kind == "stream"
        # As in uvicorn, the level also applies to the access log, unless it has its own
        # destination, which was requested explicitly.
        if not config.access_log or (is_stream and config.level > INFO):
            return
        route = log.access_route if is_stream else None
        if route is not None and not route.logger.hasHandlers():
            return
        route = route or find_route(ACCESS_LOGGERS)
        if route is not None:
            self._open_feed(config, route, loop, log)
        # A process without standard output may have opened another file as descriptor
        # 1.
        elif not is_stream or sys.__stdout__ is not None:
            self._fd = open_sink(sink)
            colors = is_stream and config.use_colors is not False
            colors = colors and (bool(config.use_colors) or os.isatty(self._fd))
            text = config.access_log_format
            self.setting = AccessLog(sink.kind, self._fd, sink.path, text, colors)

    def _open_feed(
        self, config: Config, route: Route, loop: asyncio.AbstractEventLoop, log: Log
    ) -> None:
        if route.takes(INFO):
            writer = None if route.is_whole else _open(config.access_sink)
            self._feed = feed = _Feed(route, writer, loop, log)
            text = _format_of(config) if writer is not None else FORMAT
            self.setting = AccessLog("stream", feed.theirs.fileno(), None, text, False)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read in a thread while the loop's thread closes the engine."""
        if self._feed is None:
            yield
            return
        with self._feed.reading():
            yield

    def close(self) -> None:
        """Process the remaining lines, after the engine was closed; may be called
        twice.
        """
        if self._fd != -1:
            os.close(self._fd)
            self._fd = -1
        if self._feed is not None:
            self._feed.close()
            self._feed = None


def probe_access_log(config: Config) -> None:
    """Raise ConfigError if the access log cannot be opened, before an application
    starts; it is opened after that.
    """
    if config.access_log and config.access_sink.kind != "stream":
        os.close(open_sink(config.access_sink))


def _open(sink: Sink) -> Writer:
    """Return the destination of lines without a handler; raise ConfigError."""
    return StandardOutput() if sink.kind == "stream" else open_writer(sink)


def _format_of(config: Config) -> str:
    """Return FORMAT, a space and the user's format, if both fit into a line."""
    both = f"{FORMAT} {_engine.access_format(config.access_log_format)}"
    try:
        _engine.check_access_format(both)
    except ValueError:
        return FORMAT
    return both


class _Feed:
    """Receives lines from the engine's thread and logs them as records in the
    loop's thread.
    """

    def __init__(
        self,
        route: Route,
        writer: Writer | None,
        loop: asyncio.AbstractEventLoop,
        log: Log,
    ) -> None:
        """``writer`` gets the lines without a handler."""
        self._route, self._writer = route, writer
        self._loop = loop
        self._log = log
        self._lost, self._report_due = 0, 0.0
        self._begun = b""
        self._lines: deque[bytes] = deque()
        self._read_late: deque[bytes] = deque()
        from json import (
            JSONDecoder,
        )  # imported here because it is only needed if logging is configured

        self._decode = JSONDecoder().raw_decode
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)
        loop.add_reader(self._ours.fileno(), self._read)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        ended = threading.Event()

        def read() -> None:
            while True:
                is_last = ended.is_set()
                if select.select([self._ours], [], [], 0 if is_last else 0.05)[0]:
                    data = self._ours.recv(_READ_BYTES)
                    self._read_late.append(data)
                    if data:
                        continue
                if is_last:
                    return

        self._loop.remove_reader(self._ours.fileno())
        thread = threading.Thread(target=read, name="bolide-access", daemon=True)
        start_without_signals(thread)
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def close(self) -> None:
        self._loop.remove_reader(self._ours.fileno())
        self.theirs.close()
        while self._read_late:
            self._take(self._read_late.popleft())
        while self._read():
            pass
        self._ours.close()
        if self._lost:
            self._report(None)

    def _read(self) -> bool:
        """Log the received lines; return whether there may be more."""
        try:
            data = self._ours.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        self._take(data)
        return bool(data)

    def _take(self, data: bytes) -> None:
        *lines, self._begun = (self._begun + data).split(b"\n")
        self._lines.extend(lines)
        # If a handler raises a BaseException, the rest is left for the next time.
        while self._lines:
            line = self._lines.popleft()
            try:
                self._log_line(line.decode("utf-8", "replace"))
            except Exception as error:
                self._lost += 1
                if time.monotonic() >= self._report_due:
                    self._report(error)

    def _log_line(self, line: str) -> None:
        args, end = self._decode(line)
        text = line[end + 1 :] or MESSAGE % tuple(args)

        def write() -> None:
            if self._writer is not None:
                self._writer.write(INFO, text + "\n")

        self._route.log(INFO, MESSAGE, tuple(args), None, write)

    def _report(self, error: Exception | None) -> None:
        """Log how many records were lost since the last report."""
        text = f"access log: {self._lost} records were lost: a handler or filter raised"
        self._lost, self._report_due = 0, time.monotonic() + _REPORT_EVERY_S
        self._log.failure(text, error)
