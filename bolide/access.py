"""The access log as a server opens it, and as Python's logging takes it."""

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
from bolide.loggers import ACCESS_LOGGERS, INFO, Route, find_route
from bolide.outlets import Outlet, StandardOutput, open_outlet
from bolide.sinks import AccessLog, Sink
from bolide.threads import start_without_signals

if TYPE_CHECKING:
    from bolide.config import Config
    from bolide.logs import Log

FORMAT = "[%(client_addr)j,%(m)j,%(Uq)j,%(http_version)j,%(s)j]"
"""What a record of uvicorn's access logger has, as a JSON array."""
MESSAGE = '%s - "%s %s HTTP/%s" %d'
"""uvicorn's; its AccessFormatter takes the five arguments apart."""

_READ_BYTES = 262144
_REPORT_EVERY_S = 10.0


class AccessOutput:
    """What the engine writes its access log to; close() ends it."""

    def __init__(
        self, config: Config, loop: asyncio.AbstractEventLoop, log: Log
    ) -> None:
        """Open what ``config`` and the program's loggers ask for; raise ConfigError.

        ``log`` hears of records that were lost.
        """
        self.setting: AccessLog | None = None
        """For the engine; None: there is no access log."""
        self._fd = -1
        self._feed: _Feed | None = None
        sink = config.access_sink
        is_stream = sink.kind == "stream"
        # As with uvicorn the level is the access log's too, but for one with a place
        # of its own, which has been asked for.
        if not config.access_log or (is_stream and config.level > INFO):
            return
        route = config.access_route if is_stream else None
        if route is not None and not route.logger.hasHandlers():
            return
        route = route or find_route(ACCESS_LOGGERS)
        if route is not None:
            self._open_feed(config, route, loop, log)
        # A process without standard output may have opened something else as 1.
        elif not is_stream or sys.__stdout__ is not None:
            self._fd = sink.open()
            colors = is_stream and config.use_colors is not False
            colors = colors and (bool(config.use_colors) or os.isatty(self._fd))
            text = config.access_log_format
            self.setting = AccessLog(sink.kind, self._fd, sink.path, text, colors)

    def _open_feed(
        self, config: Config, route: Route, loop: asyncio.AbstractEventLoop, log: Log
    ) -> None:
        if route.takes(INFO):
            outlet = None if route.is_whole else _open(config.access_sink)
            self._feed = feed = _Feed(route, outlet, loop, log)
            text = _format_of(config) if outlet is not None else FORMAT
            self.setting = AccessLog("stream", feed.theirs.fileno(), None, text, False)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Read in a thread what comes while the loop's thread closes the engine."""
        if self._feed is None:
            yield
            return
        with self._feed.reading():
            yield

    def close(self) -> None:
        """Take what is still to come, once the engine has closed; twice is fine."""
        if self._fd != -1:
            os.close(self._fd)
            self._fd = -1
        if self._feed is not None:
            self._feed.close()
            self._feed = None


def probe_access_log(config: Config) -> None:
    """Raise ConfigError where the access log cannot be opened, before an application
    starts; it is opened after that.
    """
    if config.access_log and config.access_sink.kind != "stream":
        os.close(config.access_sink.open())


def _open(sink: Sink) -> Outlet:
    """Return where lines go that no handler takes; raise ConfigError."""
    return StandardOutput() if sink.kind == "stream" else open_outlet(sink)


def _format_of(config: Config) -> str:
    """Return FORMAT with the user's behind a space, where both fit into a line."""
    both = f"{FORMAT} {_engine.access_format(config.access_log_format)}"
    try:
        _engine.check_access_format(both)
    except ValueError:
        return FORMAT
    return both


class _Feed:
    """Lines from the engine's thread, which become records in the loop's."""

    def __init__(
        self,
        route: Route,
        outlet: Outlet | None,
        loop: asyncio.AbstractEventLoop,
        log: Log,
    ) -> None:
        """``outlet`` takes lines that no handler takes."""
        self._route, self._outlet = route, outlet
        self._loop = loop
        self._log = log
        self._lost, self._report_due = 0, 0.0
        self._begun = b""
        self._lines: deque[bytes] = deque()
        self._read_late: deque[bytes] = deque()
        from json import JSONDecoder  # needed only here, where logging is set up

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
        """Log the lines that have come; return whether there may be more."""
        try:
            data = self._ours.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        self._take(data)
        return bool(data)

    def _take(self, data: bytes) -> None:
        *lines, self._begun = (self._begun + data).split(b"\n")
        self._lines.extend(lines)
        # What a handler raises beyond Exception leaves the rest for the next time.
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
            if self._outlet is not None:
                self._outlet.write(INFO, text + "\n")

        self._route.log(INFO, MESSAGE, tuple(args), None, write)

    def _report(self, error: Exception | None) -> None:
        """Say how many records were lost since the last report."""
        text = f"access log: {self._lost} records were lost: a handler or filter raised"
        self._lost, self._report_due = 0, time.monotonic() + _REPORT_EVERY_S
        self._log.failure(text, error)
