"""What bolide says about itself: one line at a time, on standard error."""

from __future__ import annotations

import sys
import time
import traceback

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


class Log:
    """A log to standard error that drops what is below its level.

    ``level`` is one of the numbers in LEVELS, ``tag`` goes in front of each text. A
    stream that is gone is no error.
    """

    def __init__(self, level: int) -> None:
        self.level = level
        self.tag = ""

    def line(self, level: int, text: str) -> None:
        """Say ``text`` at ``level``, a number of LEVELS, behind the time."""
        if level < self.level:
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self._write(f"{stamp} {_NAMES.get(level, level):<8} {self.tag}{text}\n")

    def exception(self, text: str, error: BaseException) -> None:
        """Say ``text`` at level error, and below it the traceback of ``error``."""
        lines = traceback.format_exception(error)
        self.line(LEVELS["error"], text + "\n" + "".join(lines).rstrip("\n"))

    def failure(self, text: str, cause: BaseException | None) -> None:
        """Say why something failed, with the traceback of ``cause`` if it has one."""
        if cause is not None:
            self.exception(text, cause)
        else:
            self.line(LEVELS["error"], text)

    def _write(self, text: str) -> None:
        stream = sys.stderr
        if stream is None:
            return
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            return
