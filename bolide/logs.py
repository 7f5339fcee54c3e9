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

    ``level`` is one of the numbers in ``LEVELS``.
    """

    def __init__(self, level: int) -> None:
        self.level = level

    def line(self, level: int, text: str) -> None:
        """Say one line; a stream that is gone is no reason to fail."""
        if level < self.level:
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        try:
            sys.stderr.write(f"{stamp} {_NAMES.get(level, level):<7} {text}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass

    def exception(self, text: str, error: BaseException) -> None:
        """Say one line at level error, and the traceback of ``error`` below it."""
        lines = traceback.format_exception(error)
        self.line(LEVELS["error"], text + "\n" + "".join(lines).rstrip("\n"))
