"""The log of bolide itself, one line at a time."""

from __future__ import annotations

import functools
import os
import re
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from bolide.config.choices import LEVELS
from bolide.config.config import Config
from bolide.config.logging_config import LOGGING_CONFIG
from bolide.errors import ConfigError
from bolide.logs.loggers import ERROR_LOGGERS, Route, Routes, configure, find_route
from bolide.logs.writers import StandardError, Writer, open_writer

if TYPE_CHECKING:
    import logging

_NAMES = {number: name for name, number in LEVELS.items()}


_OWN_LOGGING = repr(LOGGING_CONFIG)

_COLORS = {50: 41, 40: 31, 30: 33, 20: 32, 10: 36, 5: 34}
"""Colors of levels, by the numbers of ECMA-48."""


def _configure_logging(wanted: Any, level: int | None) -> Routes:
    """Configure Python's logging with ``loggers.configure``, unless it is unchanged."""
    if wanted is not None and repr(wanted) == _OWN_LOGGING:
        return Routes(None, None)
    return configure(wanted, level)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_AND_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _escaped(found: re.Match[str]) -> str:
    byte = found.group()
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(byte, f"\\x{ord(byte):02X}")


class Log:
    r"""A log that drops what is below its level, to standard error at first.

    ``level`` is one of the numbers in LEVELS, ``tag`` goes in front of each text. A
    reader that has ended or is slow is no error. Control characters become \xHH, and
    each further line of a text is indented.
    """

    def __init__(
        self,
        level: int,
        *,
        colors: bool | None = False,
        is_json: bool = False,
        is_one_line: bool = False,
        writer: Writer | None = None,
    ) -> None:
        """``colors`` None: if standard error is a terminal.

        ``is_json``: one JSON object per line; ``is_one_line``: a traceback is one line.
        """
        self.level = level
        self.tag = ""
        self.logger: logging.Logger | None = None
        """Gets the lines instead of the writer, if logging is configured."""
        self.access_route: Route | None = None
        """Gets requests, if log_config has configured logging."""
        self._writer = writer or StandardError()
        self._is_json = is_json
        self._is_one_line = is_one_line or self._writer.is_one_line
        if colors is None:
            colors = sys.stderr is not None and sys.stderr.isatty()
        self._colors = bool(colors) and isinstance(self._writer, StandardError)

    def line(self, level: int, text: str) -> None:
        """Log ``text`` at ``level``, a number of LEVELS, with the time."""
        if level >= self.level:
            self._emit(level, text, None)

    def exception(self, text: str, error: BaseException) -> None:
        """Log ``text`` at level error, followed by the traceback of ``error``.

        The part of ``text`` before a colon is the same for all messages of its kind.
        """
        if LEVELS["error"] >= self.level:
            self._emit(LEVELS["error"], text, error)

    def failure(self, text: str, cause: BaseException | None) -> None:
        """Log why something failed, with the traceback of ``cause`` if there is one."""
        if cause is not None:
            self.exception(text, cause)
        else:
            self.line(LEVELS["error"], text)

    def reopen(self) -> None:
        """Reopen the log's file, after another program has moved it away."""
        try:
            self._writer.reopen()
        except OSError as problem:
            reason = f"the log's file cannot be opened again: {problem.strerror}"
            self.line(LEVELS["error"], reason)

    def _emit(self, level: int, text: str, error: BaseException | None) -> None:
        trace = ""
        if error is not None:
            trace = "".join(traceback.format_exception(error)).rstrip("\n")
        write = functools.partial(self._write, level, text, trace)
        route = self._route()
        if route is None:
            write()
            return
        try:
            route.log(level, *self._as_record(text, trace, error), write)
        except Exception as problem:
            # An error of a handler must be visible, and so must the line it was given.
            reason = "".join(traceback.format_exception(problem)).rstrip("\n")
            write()
            self._write(LEVELS["error"], "a handler of the log failed", reason)

    def _route(self) -> Route | None:
        if self.logger is not None:
            return Route(self.logger, True)
        return find_route(ERROR_LOGGERS)

    def _as_record(
        self, text: str, trace: str, error: BaseException | None
    ) -> tuple[str, tuple[str, ...], BaseException | None]:
        """Return message, arguments and exception of a record."""
        if self._is_one_line:
            whole = f"{self.tag}{text}\n{trace}" if trace else self.tag + text
            return "%s", (_CONTROL_AND_BREAKS.sub(_escaped, whole),), None
        kind, colon, about = (self.tag + text).partition(": ")
        if error is None or not colon:
            return "%s", (self.tag + text,), error
        # Programs that group by message get one group, not one per request.
        return kind.replace("%", "%%") + ": %s", (about,), error

    def _write(self, level: int, text: str, trace: str) -> None:
        if self._is_json:
            self._writer.write(level, _as_json(level, text, trace))
        else:
            self._writer.write(level, self._as_text(level, text, trace))

    def _as_text(self, level: int, text: str, trace: str) -> str:
        whole = f"{text}\n{trace}" if trace else text
        pattern = _CONTROL_AND_BREAKS if self._is_one_line else _CONTROL
        # No line of a text may look like a line of the log itself.
        whole = pattern.sub(_escaped, whole).replace("\n", "\n  ")
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        name = f"{_NAMES.get(level, level):<8}"
        if self._colors:
            name = f"\x1b[{_COLORS.get(level, 0)}m{name}\x1b[0m"
        return f"{stamp} {name} {self.tag}{whole}\n"


def _as_json(level: int, text: str, trace: str) -> str:
    """Return a JSON object in ASCII and a newline."""
    import datetime
    import json

    now = datetime.datetime.now().astimezone()
    fields = {
        "time": now.isoformat(timespec="milliseconds"),
        "level": _NAMES.get(level, str(level)),
        "pid": os.getpid(),
        "message": text,
    }
    if trace:
        fields["traceback"] = trace
    return json.dumps(fields) + "\n"


def open_log(config: Config) -> Log:
    """Return the log that ``config`` requests; raise ConfigError."""
    log = Log(
        config.level,
        colors=config.use_colors,
        is_json=config.log_format == "json",
        is_one_line=config.one_line_tracebacks,
        writer=open_writer(config.log_sink),
    )
    try:
        level = None if config.level == LEVELS["info"] else config.level
        error, log.access_route = _configure_logging(config.log_config, level)
    except (ImportError, OSError, ValueError, TypeError, KeyError) as problem:
        raise ConfigError("log_config", f"cannot be used: {problem}") from None
    log.logger = error.logger if error is not None else None
    return log


def log_notes(log: Log, config: Config) -> None:
    """Log the notes and warnings of ``config`` at the start, once."""
    for level, text in config.take_notes():
        log.line(level, text)


def banner(config: Config, where: str, how: str) -> str:
    """Return the line that reports that this process listens at ``where``.

    ``how`` is the event loop, or what is in its place in a process that has none.
    """
    from bolide import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    how += ", HTTP/3" if config.http3 else ""
    return (
        f"bolide {__version__} listening on {where} "
        f"(pid {os.getpid()}, {how}, CPython {python}; Ctrl-C stops it)"
    )
