"""What bolide says about itself, one line at a time."""

from __future__ import annotations

import functools
import os
import re
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from bolide.loggers import ERROR_LOGGERS, Route, Routes, configure, find_route
from bolide.outlets import Outlet, StandardError

if TYPE_CHECKING:
    import logging

LEVELS = {
    "critical": 50,
    "error": 40,
    "warning": 30,
    "info": 20,
    "debug": 10,
    "trace": 5,
}
"""Level names as uvicorn has them, with the numbers of ``logging``."""

_NAMES = {number: name for name, number in LEVELS.items()}


LOGGING_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {
            "()": "bolide.formatters.DefaultFormatter",
            "fmt": "%(asctime)s %(levelname)-8s %(message)s",
            "use_colors": None,
        },
        "access": {
            "()": "bolide.formatters.AccessFormatter",
            "fmt": '%(asctime)s %(client_addr)s - "%(request_line)s" %(status_code)s',
            "use_colors": None,
        },
    },
    "handlers": {
        "default": {
            "class": "logging.StreamHandler",
            "formatter": "default",
            "stream": "ext://sys.stderr",
        },
        "access": {
            "class": "logging.StreamHandler",
            "formatter": "access",
            "stream": "ext://sys.stdout",
        },
    },
    "loggers": {
        "bolide": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "bolide.error": {"level": "INFO"},
        "bolide.access": {
            "handlers": ["access"],
            "level": "INFO",
            "propagate": False,
        },
    },
}
"""A configuration of Python's logging to begin one's own with, with the formatters and
handlers that uvicorn's has. While it is what a Config has, and unchanged, logging is
not set up, and used only where the program has set a logger of bolide's or uvicorn's
up."""

_OWN_LOGGING = repr(LOGGING_CONFIG)

_COLORS = {50: 41, 40: 31, 30: 33, 20: 32, 10: 36, 5: 34}
"""Of level names, by the numbers of ECMA-48."""


def configure_logging(wanted: Any, level: int | None) -> Routes:
    """Set Python's logging up, as ``loggers.configure`` does, unless it is ours."""
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
    reader that is gone or slow is no error. Control characters become \xHH, and each
    further line of a text is indented.
    """

    def __init__(
        self,
        level: int,
        *,
        colors: bool | None = False,
        is_json: bool = False,
        is_one_line: bool = False,
        outlet: Outlet | None = None,
    ) -> None:
        """``colors`` None: where standard error is a terminal.

        ``is_json``: a JSON object a line; ``is_one_line``: a traceback is one line.
        """
        self.level = level
        self.tag = ""
        self.logger: logging.Logger | None = None
        """Takes the lines instead of the outlet, where logging is set up."""
        self._outlet = outlet or StandardError()
        self._is_json = is_json
        self._is_one_line = is_one_line or self._outlet.is_one_line
        if colors is None:
            colors = sys.stderr is not None and sys.stderr.isatty()
        self._colors = bool(colors) and isinstance(self._outlet, StandardError)

    def line(self, level: int, text: str) -> None:
        """Say ``text`` at ``level``, a number of LEVELS, behind the time."""
        if level >= self.level:
            self._say(level, text, None)

    def exception(self, text: str, error: BaseException) -> None:
        """Say ``text`` at level error, and below it the traceback of ``error``.

        A colon in ``text`` is the end of what is the same each time.
        """
        if LEVELS["error"] >= self.level:
            self._say(LEVELS["error"], text, error)

    def failure(self, text: str, cause: BaseException | None) -> None:
        """Say why something failed, with the traceback of ``cause`` if it has one."""
        if cause is not None:
            self.exception(text, cause)
        else:
            self.line(LEVELS["error"], text)

    def reopen(self) -> None:
        """Open the log's file again, for whoever has moved it away."""
        try:
            self._outlet.reopen()
        except OSError as problem:
            reason = f"the log's file cannot be opened again: {problem.strerror}"
            self.line(LEVELS["error"], reason)

    def _say(self, level: int, text: str, error: BaseException | None) -> None:
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
            # What is wrong with a handler has to be seen, and what it was given.
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
        # Whoever groups by message has one group, not one for each request.
        return kind.replace("%", "%%") + ": %s", (about,), error

    def _write(self, level: int, text: str, trace: str) -> None:
        if self._is_json:
            self._outlet.write(level, _as_json(level, text, trace))
        else:
            self._outlet.write(level, self._as_text(level, text, trace))

    def _as_text(self, level: int, text: str, trace: str) -> str:
        whole = f"{text}\n{trace}" if trace else text
        pattern = _CONTROL_AND_BREAKS if self._is_one_line else _CONTROL
        # No line of a text may look like one of the log's own.
        whole = pattern.sub(_escaped, whole).replace("\n", "\n  ")
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        name = f"{_NAMES.get(level, level):<8}"
        if self._colors:
            name = f"\x1b[{_COLORS.get(level, 0)}m{name}\x1b[0m"
        return f"{stamp} {name} {self.tag}{whole}\n"


def _as_json(level: int, text: str, trace: str) -> str:
    """Return one JSON object and a newline; all but ASCII is escaped."""
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


def banner(where: str, how: str) -> str:
    """Return the line that says that this process listens, and ``how``."""
    from bolide import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"bolide {__version__} listening on {where} "
        f"(pid {os.getpid()}, {how}, CPython {python}; Ctrl-C stops it)"
    )
