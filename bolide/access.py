"""The access log as a server opens it, and as Python's logging hears of it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys

from bolide.config import Config
from bolide.sinks import AccessLog

FORMAT = "[%(client_addr)j,%(m)j,%(Uq)j,%(http_version)j,%(s)j]"
"""What a record of uvicorn's access logger has, as a JSON array."""
MESSAGE = '%s - "%s %s HTTP/%s" %d'
"""uvicorn's; its AccessFormatter takes the five arguments apart."""

_READ_BYTES = 262144


class AccessOutput:
    """What the engine writes its access log to; close() ends it."""

    def __init__(self, config: Config, loop: asyncio.AbstractEventLoop) -> None:
        """Open what ``config`` asks for; raise ConfigError."""
        self.setting: AccessLog | None = None
        """For the engine; None: there is no access log."""
        self._fd = -1
        self._feed: _Feed | None = None
        if not config.access_log:
            return
        sink = config.access_sink
        if sink.kind == "stream" and config.access_logger is not None:
            self._open_feed(config.access_logger, loop)
        # A process without standard output may have opened something else as 1.
        elif sink.kind != "stream" or sys.__stdout__ is not None:
            self._fd = sink.open()
            colors = sink.kind == "stream" and config.use_colors is not False
            colors = colors and (bool(config.use_colors) or os.isatty(self._fd))
            text = config.access_log_format
            self.setting = AccessLog(sink.kind, self._fd, sink.path, text, colors)

    def _open_feed(
        self, logger: logging.Logger, loop: asyncio.AbstractEventLoop
    ) -> None:
        if logger.isEnabledFor(logging.INFO):
            self._feed = feed = _Feed(logger, loop)
            number = feed.theirs.fileno()
            self.setting = AccessLog("stream", number, None, FORMAT, False)

    def close(self) -> None:
        """Take what is still to come, once the engine has closed; twice is fine."""
        if self._fd != -1:
            os.close(self._fd)
            self._fd = -1
        if self._feed is not None:
            self._feed.close()
            self._feed = None


class _Feed:
    """Lines from the engine's thread, which become records in the loop's."""

    def __init__(self, logger: logging.Logger, loop: asyncio.AbstractEventLoop) -> None:
        self._logger = logger
        self._loop = loop
        self._begun = b""
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)
        loop.add_reader(self._ours.fileno(), self._read)

    def close(self) -> None:
        self._loop.remove_reader(self._ours.fileno())
        self.theirs.close()
        while self._read():
            pass
        self._ours.close()

    def _read(self) -> bool:
        """Log the lines that have come; return whether there may be more."""
        try:
            data = self._ours.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        from json import loads  # needed only here, where logging is configured

        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            if line:
                self._logger.info(MESSAGE, *loads(line))
        return bool(data)
