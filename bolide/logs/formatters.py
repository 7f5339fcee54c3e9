"""Formatters for LOGGING_CONFIG, with the names and fields of uvicorn's."""

from __future__ import annotations

import http
import logging
import sys
from typing import Any, Literal

_COLORS = {"TRACE": 34, "DEBUG": 36, "INFO": 32, "WARNING": 33, "ERROR": 31}
"""Colors of levels, by the numbers of ECMA-48; all others are red on white."""
_STATUS_COLORS = {1: 36, 2: 32, 3: 36, 4: 33, 5: 31}


class DefaultFormatter(logging.Formatter):
    """Formats bolide's log; ``%(levelprefix)s`` is the level, a colon, and padding."""

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        use_colors: bool | None = None,
    ) -> None:
        """``use_colors`` None: if standard error is a terminal."""
        super().__init__(fmt, datefmt, style)
        if use_colors is None:
            use_colors = sys.stderr is not None and sys.stderr.isatty()
        self.use_colors = use_colors

    def paint(self, text: str, color: int) -> str:
        """Return ``text`` in a color, if colors are used."""
        return f"\x1b[{color}m{text}\x1b[0m" if self.use_colors else text

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of a record, without its traceback."""
        return super().formatMessage(self._with_fields(record))

    def _with_fields(self, record: logging.LogRecord) -> Any:
        """Return a copy with additional fields: other formatters use the record too."""
        copy: Any = logging.makeLogRecord(record.__dict__)
        name = record.levelname
        copy.levelprefix = self.paint(name, _COLORS.get(name, 41))
        copy.levelprefix += ":" + " " * (8 - len(name))
        return copy


class AccessFormatter(DefaultFormatter):
    """Formats records of the access log.

    In addition to the usual fields there are client_addr, request_line, status_code
    (with its phrase), method, full_path and http_version.
    """

    def _with_fields(self, record: logging.LogRecord) -> Any:
        copy = super()._with_fields(record)
        args: Any = record.args
        client, method, path, version, status = args
        copy.client_addr, copy.method, copy.full_path = client, method, path
        copy.http_version = version
        copy.request_line = f"{method} {path} HTTP/{version}"
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        copy.status_code = self.paint(
            f"{status} {phrase}".rstrip(), _STATUS_COLORS.get(status // 100, 31)
        )
        return copy
