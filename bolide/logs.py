"""What bolide says about itself: one line at a time, on standard error."""

from __future__ import annotations

import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

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
        "default": {"format": "%(asctime)s %(levelname)-8s %(message)s"},
    },
    "handlers": {
        "default": {"class": "logging.StreamHandler", "formatter": "default"},
    },
    "loggers": {
        "bolide": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "bolide.error": {"level": "INFO"},
    },
}
"""A configuration of Python's logging to begin one's own with. While it is what a
Config has, and unchanged, logging is not used at all."""

_OWN_LOGGING = repr(LOGGING_CONFIG)

_COLORS = {50: 41, 40: 31, 30: 33, 20: 32, 10: 36, 5: 34}
"""Of level names, by the numbers of ECMA-48."""


def configure_logging(wanted: Any) -> logging.Logger | None:
    """Set Python's logging up and return the logger for what is said; None: not used.

    ``wanted`` is as ``Config.log_config``; a file is JSON or YAML by its ending, else
    as ``logging.config.fileConfig`` reads it. The logger is "bolide.error", or
    "uvicorn.error" where only that is configured. Raises what logging.config raises.
    """
    if wanted is not None and repr(wanted) == _OWN_LOGGING:
        return None
    import logging
    import logging.config

    logging.addLevelName(LEVELS["trace"], "TRACE")
    named = ""
    if isinstance(wanted, str):
        if wanted.endswith((".json", ".yaml", ".yml")):
            wanted = _read_table(wanted)
        else:
            with open(wanted, encoding="utf-8") as file:
                named = file.read()
            logging.config.fileConfig(wanted, disable_existing_loggers=False)
    elif wanted is not None and not isinstance(wanted, dict):
        logging.config.fileConfig(wanted, disable_existing_loggers=False)
    if isinstance(wanted, dict):
        named = " ".join(wanted.get("loggers", {}))
        logging.config.dictConfig(wanted)
    is_theirs = "uvicorn" in named and "bolide" not in named
    return logging.getLogger("uvicorn.error" if is_theirs else "bolide.error")


def _read_table(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        if path.endswith(".json"):
            import json

            return json.load(file)
        import yaml

        return yaml.safe_load(file)


class Log:
    """A log to standard error that drops what is below its level.

    ``level`` is one of the numbers in LEVELS, ``tag`` goes in front of each text. A
    stream that is gone is no error.
    """

    def __init__(self, level: int, *, colors: bool | None = False) -> None:
        """``colors`` None: where standard error is a terminal."""
        self.level = level
        self.tag = ""
        self.logger: logging.Logger | None = None
        """Takes the lines instead of standard error."""
        if colors is None:
            colors = sys.stderr is not None and sys.stderr.isatty()
        self._colors = colors

    def line(self, level: int, text: str) -> None:
        """Say ``text`` at ``level``, a number of LEVELS, behind the time."""
        if level < self.level:
            return
        if self.logger is not None:
            self.logger.log(level, "%s", self.tag + text)
            return
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        name = f"{_NAMES.get(level, level):<8}"
        if self._colors:
            name = f"\x1b[{_COLORS.get(level, 0)}m{name}\x1b[0m"
        self._write(f"{stamp} {name} {self.tag}{text}\n")

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
